#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <handrail/train/guards/guard.h>
#include <handrail/train/math/smoothing.h>

namespace handrail::train {

/// Compares the monitored value with the validation loss at the end of each epoch, over at most the last 32 of them,
/// and reports once:
///   "monitor_mode"      up to the lowest validation loss, at least 5 epochs, what `mode` calls better comes with a
///                       worse loss: rank correlation below -0.5 - 2 / epochs
///   "monitor_constant"  the value has been exactly the same in all epochs so far, at least 8, it is not a maximum of
///                       1, and meanwhile the validation loss has changed by more than 2 %, and of classes the accuracy
///                       by more than 0.01
///   "loss_sign"         in each of the first 5 epochs the validation loss was below 0, the training loss above, and
///                       neither more than 4 times as far from 0 as the other
class MonitorGuard final : public Guard {
 public:
  /// monitor: TrainerOptions::monitor. higher_is_better: TrainerOptions::mode.
  MonitorGuard(std::string monitor, bool higher_is_better)
      : monitor_(std::move(monitor)),
        sign_(higher_is_better ? 1 : -1),
        values_(capacity),
        losses_(capacity),
        accuracies_(capacity) {}

  const char* name() const override { return "monitor"; }
  std::optional<Anomaly> epoch_end(const EpochStats& stats) override;
  void rolled_back() override;
  void visit_state(StateVisitor& state) override;

 private:
  static constexpr std::size_t capacity = 32;

  std::optional<double> value_of(const EpochStats& stats) const;
  std::optional<Anomaly> wrong_sign(const EpochStats& stats);
  std::optional<Anomaly> wrong_mode(std::int64_t step);
  std::optional<Anomaly> constant(std::int64_t step);

  std::string monitor_;
  double sign_;
  Window values_, losses_;
  Window accuracies_;                 // the losses again where none is measured
  std::int64_t opposite_epochs_ = 0;  // from the first on
  bool mode_reported_ = false, constant_reported_ = false, varied_ = false;
};

/// Reports at the end of the last epoch ("still_improving") that the run was too short. With the validation losses of
/// all epochs, or the training losses without validation, and m = a quarter of the epochs, at least one:
///   last loss         the lowest
///   fall in the last  more than 10 % of the loss then, and more than 5 % of what it was at the end of the first epoch;
///   m epochs          above 20 % and 8 % it is a warning, else a note
class ShortRunGuard final : public Guard {
 public:
  /// epochs: TrainerOptions::epochs; it reports at the end of the last one.
  explicit ShortRunGuard(Index epochs) : epochs_(epochs) {}

  const char* name() const override { return "short_run"; }
  std::optional<Anomaly> epoch_end(const EpochStats& stats) override;
  void rolled_back() override { losses_.clear(); }
  void visit_state(StateVisitor& state) override { losses_.visit_state(state); }

 private:
  Index epochs_;
  Outline losses_;
};

/// Reports once ("oscillation") that the loss swings up and down: of the last 100 differences of losses more than 85
/// have another sign than the one before, where independent losses have 66 +- 4; their mean size is above 20 % of the
/// mean loss; and the mean of the last 50 losses is not below 95 % of that of the 50 before.
class OscillationGuard final : public Guard {
 public:
  OscillationGuard() : losses_(length) {}

  const char* name() const override { return "oscillation"; }
  std::optional<Anomaly> accepted(const StepStats& stats) override;
  void rolled_back() override;
  void visit_state(StateVisitor& state) override;

 private:
  static constexpr std::size_t length = 101;
  static constexpr std::int64_t interval = 25;  // steps between two looks

  Window losses_;
  std::int64_t countdown_ = static_cast<std::int64_t>(length);
  bool reported_ = false;
};

}  // namespace handrail::train
