#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <handrail/train/guards/guard.h>
#include <handrail/train/guards/options.h>
#include <handrail/train/math/initial_loss.h>
#include <handrail/train/math/smoothing.h>
#include <handrail/train/math/state_visitor.h>

namespace handrail::train {

/// Keeps losses, gradients and updates that are not finite out of the model. What it asks for depends on the number of
/// bad steps in a row:
///   patience        skip the step and halve the rate
///   2 * patience    restore the last good state and halve the rate; after max_rollbacks of these, stop
///   any other       skip the step
/// After a rollback the count starts again. A step that is accepted ends the row; the count of rollbacks stays.
class NonFiniteGuard final : public Guard {
 public:
  /// patience: in steps, at least 1.
  explicit NonFiniteGuard(Index patience = 3) : patience_(patience) {}

  const char* name() const override { return "non_finite"; }
  std::optional<Anomaly> check_loss(const StepStats& stats) override;
  std::optional<Anomaly> check_gradients(const StepStats& stats) override;
  std::optional<Anomaly> update_refused(const StepStats& stats, const NonFiniteError& error) override;
  bool wants_replay() const override { return true; }
  std::optional<Anomaly> accepted(const StepStats&) override {
    in_a_row_ = 0;
    return std::nullopt;
  }
  void rolled_back() override { in_a_row_ = 0; }

  void visit_state(StateVisitor& state) override;

 private:
  Anomaly found(const StepStats& stats, const std::string& evidence);

  Index patience_;
  Index in_a_row_ = 0;
  Index rollbacks_ = 0;  // how many it has asked for
};

/// The typical loss of recent batches: the geometric mean of the losses of their samples, scaled to the loss of the
/// batch. A single hard sample hardly changes it. Of the batches that are measured every 8th counts, and the last 24 of
/// these are kept.
class TypicalLoss {
 public:
  /// Whether that of this batch is far above the kept ones: its logarithm is above the mean of theirs by 1.5 and by 3.8
  /// standard deviations. False while fewer than 12 are kept, and when the losses of the samples are not known.
  bool is_high(double loss, const SampleLosses& samples) const;
  /// Forgets that of the last batch, which may not have been accepted. Computes that of this one, when it is its turn
  /// and the loss is positive. samples: null when they are not known.
  void measure(double loss, const SampleLosses* samples);
  /// Keeps what the last batch had; a batch that is a spike is not kept.
  void keep(bool spiked);
  /// Forgets what is kept, as after a rollback.
  void clear() { kept_.clear(); }
  /// Reads or writes what it remembers, for checkpoints: see StateVisitor.
  void visit_state(StateVisitor& state);

 private:
  static constexpr std::size_t capacity = 24, interval = 8;

  Window kept_{capacity};         // logarithms
  std::optional<double> latest_;  // that of the last batch, when it counts
  std::size_t since_ = 0;         // batches since the last one that counts
};

/// Finds losses that are far above the recent ones: the last 100 that were no spikes. While there are fewer than 20, a
/// spike is a loss above 1 and above 10 times their mean, if none of them is negative. Ten spikes in a row are taken as
/// the new level and replace the recent losses. The robust rule asks for all of
///   loss > 10 mean
///   loss > median + 6 max(1.4826 MAD, 0.05 |median|)
///   loss > median + 0.1 initial                               (initial: the mean magnitude of the first ten losses)
///   loss > min(median (largest / median)^1.75, max(3 largest, 2 initial))
/// The last two are for data that is nearly memorised, where the loss of a single hard sample is thousands of times the
/// others: the largest recent loss tells how heavy the tail is. When some recent loss is negative, a ratio has no
/// meaning, and the first and the last line become
///   loss > mean + 3 standard deviations
///   loss > median + 2 (largest - median)
/// When the losses of the samples are known, a spike is also, by the first two lines alone, a loss that is high for
/// most samples of its batch and not for a few of them: see TypicalLoss::is_high. Batches are measured for that only
/// while the standard deviation of the recent losses is above a quarter of their mean. With n < 100 recent losses the
/// exponent 1.75 and the factor 2 of the last line are multiplied by (100 / n)^0.18, because the largest of fewer
/// losses is less extreme. docs/guards.md has the calibration, by tests/bench/guard_table.
class SpikeDetector {
 public:
  /// Starts without recent losses, so that the first loss is no spike.
  explicit SpikeDetector(SpikeRule rule = SpikeRule::robust) : rule_(rule), window_(capacity) {}

  /// Returns whether a finite loss is a spike. Call it before the update. samples: those of the batch; null when they
  /// are not known.
  bool check(double loss, const SampleLosses* samples = nullptr);
  /// Adds the loss that was checked last to the recent ones, unless it is a spike. Call it after the update.
  void accepted(double loss);
  /// Forgets the recent losses, but not the initial ones.
  void clear();

  /// The rule that the constructor got.
  SpikeRule rule() const { return rule_; }
  /// Whether the loss that was checked last is a spike.
  bool spiked() const { return spiked_; }
  /// The number of spikes in a row up to that loss. It is 0 again after the tenth, which makes them the new level.
  Index in_a_row() const { return static_cast<Index>(in_a_row_); }
  /// Whether there are no recent losses to compare with.
  bool empty() const { return window_.size() == 0; }
  /// Whether there were fewer than 20 recent losses when it was checked.
  bool early() const { return early_; }
  /// The mean of the recent losses; 0 when there are none.
  double mean() const { return empty() ? 0 : sum_ / static_cast<double>(window_.size()); }
  /// The first ten losses that were accepted, spikes among them.
  const InitialLoss& initial() const { return initial_; }

  /// Reads or writes what it remembers, for checkpoints: see StateVisitor. The rule is not part of it.
  void visit_state(StateVisitor& state);

 private:
  static constexpr std::size_t capacity = 100, min_losses = 20, rebase_after = 10;

  bool is_explosion(double loss) const;
  bool may_be_far(double loss) const;
  bool is_heavy_tailed() const;
  bool is_far(double loss, const SampleLosses* samples) const;
  void push(double loss);
  void sum_anew();

  SpikeRule rule_;
  Window window_;
  InitialLoss initial_;
  TypicalLoss typical_;
  // Running sums over the window: of the losses, of their differences to reference_, and of the squares of these. They
  // are computed anew from the window once in a hundred losses, so that rounding errors do not accumulate.
  double sum_ = 0, reference_ = 0, shifted_ = 0, squares_ = 0;
  std::size_t negative_ = 0, pushes_ = 0;
  std::array<double, rebase_after> spikes_{};  // the first in_a_row_ of them: the spikes in a row
  std::size_t in_a_row_ = 0;
  bool spiked_ = false, early_ = true;
};

/// Reports a loss that jumps ("spike"), and asks for a rollback when training diverges ("divergence"). The first two
/// spikes of a run are notes, as training mostly recovers, and so is one below half of the initial loss: a batch of
/// hard samples has it when the others are memorised. Training diverges
///   - at the third spike in a row, before its update, also in the first steps;
///   - when the average of the loss is above its bound, after the warmup and at least 20 steps.
/// The average is exponential, beta 0.99. Its bound is initial + max(0.5 |initial|, 3 spread), where initial and spread
/// are the mean and the standard deviation of the first ten losses. These ten may explode themselves: if none of them
/// is negative, the bound is at most max(10 opening, 1.2 initial), where opening is the median of the first three. A
/// loss counts in the average for at most 2 bounds (with negative losses: the bound + 3 times what it is above
/// initial), so that a single spike cannot lift the average above the bound. A rollback lowers the rate to a tenth the
/// first time and to half later; after max_rollbacks of them training stops. One hard sample weighs more in the mean of
/// a small batch. For the robust rule, the loss of a batch with fewer samples than the largest so far is therefore
/// taken as mean + (loss - mean) samples / largest number of samples.
class LossGuard final : public Guard {
 public:
  /// spike, divergence: whether each of the two is reported. The average loss is compared from step 20 on, and not in
  /// the first `warmup_steps` steps.
  LossGuard(bool spike, bool divergence, std::int64_t warmup_steps, SpikeRule rule = SpikeRule::robust)
      : warn_(spike), roll_back_(divergence), warmup_steps_(warmup_steps), spikes_(rule) {}

  const char* name() const override { return "loss"; }
  std::optional<Anomaly> check_loss(const StepStats& stats) override;
  std::optional<Anomaly> accepted(const StepStats& stats) override;
  void rolled_back() override;
  void visit_state(StateVisitor& state) override;

  /// The detector of spikes, as of the last loss that check_loss got.
  const SpikeDetector& spikes() const { return spikes_; }

 private:
  static constexpr Index min_spikes = 3;  // in a row for a divergence, or in a run for a warning

  double weighed(const StepStats& stats) const;
  Anomaly spike(const StepStats& stats) const;
  Anomaly divergence(const StepStats& stats, std::string evidence);

  bool warn_, roll_back_;
  std::int64_t warmup_steps_;
  SpikeDetector spikes_;
  Index max_samples_ = 1;  // of any step so far
  Ema ema_;
  std::int64_t averaged_ = 0;  // the number of losses in the average
  Index rollbacks_ = 0;        // how many it has asked for
  Index reported_ = 0;         // spikes
};

}  // namespace handrail::train
