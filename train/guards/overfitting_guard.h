#pragma once

#include <cstdint>
#include <optional>

#include <handrail/train/guards/guard.h>
#include <handrail/train/math/initial_loss.h>

namespace handrail::train {

/// Reports once ("overfitting") that the validation loss rises while the training loss falls. All of these must hold:
///   epochs since the lowest validation loss        at least 3
///   validation loss                                more than 10 % above the lowest
///   training loss                                  lower than in the epoch of the lowest validation loss
///   difference of validation and training loss     more than 10 % of the initial training loss
/// Where the best weights are restored, it is a note, and only when the lowest validation loss came in the first
/// twentieth of the planned epochs: then nearly all of the run has made the model worse.
///
/// Reports "loss_sign" instead, one epoch after the lowest validation loss already, when the training loss was
/// negative from the beginning, and the validation loss never was or the accuracy is below one half: two losses of the
/// same kind begin alike, and one that is negated teaches the wrong answers.
class OverfittingGuard final : public Guard {
 public:
  /// best_is_restored: whether the model gets the weights of the best evaluation when the run ends, so that overfitting
  /// costs nothing but time. planned_epochs: 0 when their number is not known.
  explicit OverfittingGuard(bool best_is_restored = false, Index planned_epochs = 0)
      : severity_(best_is_restored ? Severity::note : Severity::warning), planned_epochs_(planned_epochs) {}

  const char* name() const override { return "overfitting"; }
  std::optional<Anomaly> accepted(const StepStats& stats) override;
  std::optional<Anomaly> epoch_end(const EpochStats& stats) override;
  void rolled_back() override { best_epoch_ = 0; }
  void visit_state(StateVisitor& state) override;

 private:
  bool matters() const;
  Anomaly overfitting(std::int64_t step, double train, double validation) const;
  Anomaly loss_sign(const EpochStats& stats, double validation) const;

  Severity severity_;
  Index planned_epochs_;
  InitialLoss initial_;
  Index best_epoch_ = 0;              // the epoch of the lowest validation loss; 0 when there is none yet
  double best_ = 0, train_then_ = 0;  // the validation and training loss of that epoch
  bool reported_ = false;
};

}  // namespace handrail::train
