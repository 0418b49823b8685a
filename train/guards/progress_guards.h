#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <handrail/train/guards/guard.h>
#include <handrail/train/guards/options.h>
#include <handrail/train/math/initial_loss.h>
#include <handrail/train/math/smoothing.h>

namespace handrail::train {

/// Reports ("plateau") that the loss no longer falls, and changes nothing. Every n / 10 steps a line is fitted to the
/// last n losses. At first n is two epochs, but at least 200 and at most 2000. With the slope m and its standard error
/// SE, which takes the correlation of the residuals into account:
///   plateau     n (-m + 1.645 SE) < bound = min(0.0025 n / 100, 0.03) |mean loss|
///   improving   m + 1.645 SE < 0
///   undecided   neither: n grows by a quarter, up to four times its first value
/// A plateau also needs as much information as 30 independent losses give, unless the noise hardly matters: 1.645 n SE
/// < bound / 4. After a report the guard is silent until the loss has fallen by 3 % in a window, even at the
/// pessimistic bound of the slope. It is also silent in the last 20 % of the planned steps, where a schedule lets the
/// loss settle, and when the loss is below 1 % of its initial magnitude. docs/guards.md has the calibration, by
/// tests/bench/guard_table.
///
/// The noise of real batches hides most plateaus from this, but the mean loss of an epoch is over the same samples in
/// each. At the end of an epoch a line is also fitted to the means of the last n epochs, where n is a quarter of those
/// planned, but from 6 to 8, and another one to the validation losses when there are any. It is a plateau when in each
/// n (-m + 2.132 SE) < 0.003 |mean loss|; 2.132 is the one-sided 95 % bound of Student's t for 6 values. The losses of
/// steps are no plateau while the line through those of n epochs falls by more than 3 %.
///
/// PlateauRule::documented compares the means of the last 100 losses and of the 100 before
/// instead, every 100 steps.
/// Below half of the initial loss it is a note: the model has learnt, and what follows costs time only.
class PlateauGuard final : public Guard {
 public:
  /// steps_per_epoch, planned_steps: in optimizer steps; planned_steps is 0 when it is not known.
  explicit PlateauGuard(std::int64_t steps_per_epoch, std::int64_t planned_steps = 0,
                        PlateauRule rule = PlateauRule::confidence);

  const char* name() const override { return "plateau"; }
  std::optional<Anomaly> accepted(const StepStats& stats) override;
  std::optional<Anomaly> epoch_end(const EpochStats& stats) override;
  void rolled_back() override;
  void visit_state(StateVisitor& state) override;

 private:
  std::optional<Anomaly> check(std::int64_t step);
  std::optional<Anomaly> check_by_means(std::int64_t step);
  std::optional<Anomaly> found(std::int64_t step, double level, double max_fall, const std::string& window);

  PlateauRule rule_;
  std::size_t first_length_, length_;  // of the window, n
  std::int64_t quiet_from_;            // the step after which nothing is reported; 0 when it is not known
  Window window_;
  Window epochs_, validations_;  // the training and validation losses of the last epochs
  InitialLoss initial_;
  std::size_t countdown_;  // losses to the next check
  bool reported_ = false;
};

/// Reports once ("slow_progress") that the learning rate is too low for the planned steps. A line is fitted to all
/// losses since the warmup and extended to the last planned step. All of these must hold, in shares of the initial
/// loss:
///   change of the loss so far                               less than 10 %
///   expected further fall                                   less than 1 %
///   expected further fall, at the optimistic bound (95 %)   less than 10 %
///   width of that bound                                     less than 10 %
/// The first check is at step 200 or at 20 % of the planned steps, whichever is earlier, but not before step 50 and not
/// before 40 steps after the warmup. A check follows every 100 steps, at the end of every epoch when at most 500 steps
/// are planned, and at the end of the last epoch. Nothing is reported while a layer has had no gradient, or one that
/// has vanished, for 20 steps: a higher rate does not help a dead network, which LayerGuard names.
class SlowProgressGuard final : public Guard {
 public:
  /// warmup_steps, planned_steps: in optimizer steps. A layer for which is_trained returns false is frozen, and has no
  /// gradient for that reason.
  SlowProgressGuard(
      std::int64_t warmup_steps, std::int64_t planned_steps, IsTrained is_trained = [](std::size_t) { return true; });

  const char* name() const override { return "slow_progress"; }
  std::optional<Anomaly> accepted(const StepStats& stats) override;
  std::optional<Anomaly> epoch_end(const EpochStats& stats) override;
  void rolled_back() override { losses_.clear(); }
  void visit_state(StateVisitor& state) override;

 private:
  std::optional<Anomaly> check(std::int64_t step);
  bool lacks_gradient(const StepStats& stats) const;

  std::int64_t warmup_steps_, planned_steps_, first_, next_;
  Outline losses_;  // those since the warmup
  InitialLoss initial_;
  double peak_lr_ = 0;
  IsTrained is_trained_;
  std::int64_t steps_without_gradient_ = 0;  // in a row, in which some layer had none, or one that has vanished
  bool reported_ = false;
};

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

/// Reports ("clip_pressure") that clipping changes the path of training. From 100 steps after the warmup on, both must
/// hold for the last 100 gradients:
///   clipped           more than half of them
///   length that is    less than half: sum of min(norm, clip_norm) < 0.5 * sum of norms
///   left
/// An update of SGD is as long as its gradient, so that such a run has less than half of its learning rate. An update
/// of the Adam family is not, and a rate that the LR finder chose fits the clipped gradients: for these only the
/// documented rule makes sense, if any, and no guard is made for the other one. ClipRule::documented is the first
/// condition alone. Reports again only after less than a quarter of the gradients were clipped in between. By the rule
/// of the path it is a note, unless less than 1 % of the length of the gradients is left.
class ClipPressureGuard final : public Guard {
 public:
  /// warmup_steps: in optimizer steps. clip_norm: the norm that longer gradients are scaled down to.
  ClipPressureGuard(std::int64_t warmup_steps, double clip_norm, ClipRule rule = ClipRule::path)
      : warmup_steps_(warmup_steps), clip_norm_(clip_norm), rule_(rule), norms_(capacity), clipped_(capacity) {}

  const char* name() const override { return "clip_pressure"; }
  std::optional<Anomaly> accepted(const StepStats& stats) override;
  void rolled_back() override;
  void visit_state(StateVisitor& state) override;

 private:
  static constexpr std::size_t capacity = 100;

  double length_left() const;
  Anomaly found(const StepStats& stats) const;

  std::int64_t warmup_steps_;
  double clip_norm_;
  ClipRule rule_;
  Window norms_, clipped_;
  std::size_t count_ = 0;  // how many in the window were clipped
  bool reported_ = false;
};

}  // namespace handrail::train
