#pragma once

#include <cstdint>
#include <optional>
#include <string>

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
/// Below nine tenths of the initial loss it is a note: the model has learnt, perhaps all that the data tells, and what
/// follows costs time only.
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

}  // namespace handrail::train
