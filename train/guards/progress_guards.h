#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <handrail/train/guards/guard.h>
#include <handrail/train/guards/options.h>
#include <handrail/train/math/initial_loss.h>
#include <handrail/train/math/smoothing.h>

namespace handrail::train {

/// Reports ("plateau") that the loss no longer falls; it acts on nothing. A line is fitted to the last n
/// losses, n = clamp(2 epochs, 200, 2000) at first, every n / 10 steps. With m its slope, SE the standard
/// error for correlated residuals:
///   plateau    n (-m + 1.645 SE) < min(0.0025 n / 100, 0.03) |mean|
///   improving  m + 1.645 SE < 0
///   undecided  neither: n grows by a quarter, up to four times what it was at first
/// A plateau needs 30 independent losses' worth, unless the noise hardly matters: 1.645 n SE below a quarter of
/// that bound. Once reported, it is silent until even the pessimistic bound has come down by 3 % in a window.
/// Silent too in the last 20 % of the planned steps, where a schedule makes the loss settle, and when the
/// loss is below 1 % of what it was initially. Calibrated by tests/bench/guard_table, see docs/guards.md.
class PlateauGuard final : public Guard {
 public:
  /// planned_steps: 0 when it is not known.
  explicit PlateauGuard(std::int64_t steps_per_epoch, std::int64_t planned_steps = 0,
                        PlateauRule rule = PlateauRule::confidence);

  const char* name() const override { return "plateau"; }
  std::optional<Anomaly> accepted(const StepStats& stats) override;
  void rolled_back() override;
  void visit_state(StateVisitor& state) override;

 private:
  std::optional<Anomaly> check(std::int64_t step);
  std::optional<Anomaly> check_by_means(std::int64_t step);
  std::optional<Anomaly> found(std::int64_t step, double level, double rate);

  PlateauRule rule_;
  std::size_t first_length_, length_;  // of the window, n
  std::int64_t quiet_from_;            // the step
  Window window_;
  InitialLoss initial_;
  std::size_t countdown_;  // losses to the next judgement
  bool reported_ = false;
};

/// Reports once ("slow_progress") that training leads nowhere. A line is fitted to all losses since the warmup
/// and continued to the end of the schedule: the loss has come down by less than 10 % of its initial value, is
/// expected to lose less than another 1 %, and both the optimistic bound of that and its margin are below 10 %.
/// Judged every 100 steps from step 200 or 20 % of the planned ones on, whichever is sooner, but not before
/// step 50 or the 40th after the warmup; in runs of at most 500 steps at the end of every epoch too; and at the
/// end of the last one.
class SlowProgressGuard final : public Guard {
 public:
  SlowProgressGuard(std::int64_t warmup_steps, std::int64_t planned_steps);

  const char* name() const override { return "slow_progress"; }
  std::optional<Anomaly> accepted(const StepStats& stats) override;
  std::optional<Anomaly> epoch_end(const EpochStats& stats) override;
  void rolled_back() override { losses_.clear(); }
  void visit_state(StateVisitor& state) override;

 private:
  std::optional<Anomaly> check(std::int64_t step);

  std::int64_t warmup_steps_, planned_steps_, first_, next_;
  Outline losses_;  // since the warmup
  InitialLoss initial_;
  double peak_lr_ = 0;
  bool reported_ = false;
};

/// Reports once ("overfitting") that the validation loss rises while the training loss falls: the best one
/// is at least three epochs old, the present one is 10 % above it, the training loss is lower than it was
/// then, and the gap between the two is more than 10 % of the initial training loss.
class OverfittingGuard final : public Guard {
 public:
  const char* name() const override { return "overfitting"; }
  std::optional<Anomaly> accepted(const StepStats& stats) override;
  std::optional<Anomaly> epoch_end(const EpochStats& stats) override;
  void rolled_back() override { best_epoch_ = 0; }
  void visit_state(StateVisitor& state) override;

 private:
  InitialLoss initial_;
  Index best_epoch_ = 0;  // 0: none yet
  double best_ = 0, train_then_ = 0;
  bool reported_ = false;
};

/// Warns ("clip_pressure") when more than half of the last 100 updates were clipped, from 100 steps after
/// the warmup on; again only after the share was below a quarter.
class ClipPressureGuard final : public Guard {
 public:
  explicit ClipPressureGuard(std::int64_t warmup_steps)
      : warmup_steps_(warmup_steps), norms_(capacity), clipped_(capacity) {}

  const char* name() const override { return "clip_pressure"; }
  std::optional<Anomaly> accepted(const StepStats& stats) override;
  void rolled_back() override;
  void visit_state(StateVisitor& state) override;

 private:
  static constexpr std::size_t capacity = 100;

  Anomaly found(const StepStats& stats) const;

  std::int64_t warmup_steps_;
  Window norms_, clipped_;
  std::size_t count_ = 0;  // of clipped ones
  bool reported_ = false;
};

}  // namespace handrail::train
