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

/// Keeps losses and gradients that are not finite out of the model. Of bad steps in a row the first ones
/// are skipped, the one numbered `patience` also halves the rate, and the one numbered 2 * patience goes
/// back to the last good state and halves the rate again; after three returns the next would be one too
/// many, and training stops. A step that is accepted ends the row; the count of returns stays.
class NonFiniteGuard final : public Guard {
 public:
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
  Index rollbacks_ = 0;  // proposed so far
};

/// Finds losses far above the last 100, once there are 20; before that, losses above 1 and 10 times the mean. A spike
/// stays out of these, but ten in a row are a new level and take their place. The robust rule needs all of
///   loss > 10 mean                                            (of losses that are not negative)
///   loss > median + 6 max(1.4826 MAD, 0.05 |median|)
///   loss > median + 0.1 initial                               (initial: mean magnitude of the first ten)
///   loss > min(median (largest / median)^1.75, max(3 largest, 2 initial))
/// The last two are for nearly memorised data, where a single hard sample is thousands of times the rest:
/// the largest recent loss tells how heavy the tail is. Where losses may be negative, a ratio means nothing;
/// instead of the first and last line, loss > mean + 3 standard deviations and loss > median + 2 (largest -
/// median). For n < 100 losses 1.75 and 2 are multiplied by (100 / n)^0.18, as their largest is less far out.
/// Calibrated by tests/bench/guard_table, see docs/guards.md.
class SpikeDetector {
 public:
  explicit SpikeDetector(SpikeRule rule = SpikeRule::robust) : rule_(rule), window_(capacity) {}

  /// Judges a finite loss, before the step.
  bool check(double loss);
  /// The step of the loss judged last was made.
  void accepted(double loss);
  /// Forgets recent losses, but not what they were like at the start.
  void clear();

  SpikeRule rule() const { return rule_; }
  /// Whether the loss judged last was a spike.
  bool spiked() const { return spiked_; }
  /// Spikes in a row, up to that loss; 0 again when the tenth was taken as the new level.
  Index in_a_row() const { return static_cast<Index>(in_a_row_); }
  /// Whether there is no loss to compare with.
  bool empty() const { return window_.size() == 0; }
  /// Whether there were too few losses for a robust judgement of it.
  bool early() const { return early_; }
  /// Of the window; 0 when it is empty.
  double mean() const { return empty() ? 0 : sum_ / static_cast<double>(window_.size()); }
  const InitialLoss& initial() const { return initial_; }

  void visit_state(StateVisitor& state);

 private:
  static constexpr std::size_t capacity = 100, enough = 20, rebase_after = 10;

  bool is_explosion(double loss) const;
  bool may_be_far(double loss) const;
  bool is_far(double loss) const;
  void push(double loss);
  void sum_anew();

  SpikeRule rule_;
  Window window_;
  InitialLoss initial_;
  // Running sums over the window, of differences to a reference value for the squares; from the window
  // itself once in a hundred losses, so that rounding does not pile up.
  double sum_ = 0, reference_ = 0, shifted_ = 0, squares_ = 0;
  std::size_t negative_ = 0, pushes_ = 0;
  std::array<double, rebase_after> spikes_{};  // those in a row
  std::size_t in_a_row_ = 0;
  bool spiked_ = false, early_ = true;
};

/// Warns of a loss that jumps ("spike"), and goes back to the last good state when training diverges
/// ("divergence"): at the third spike in a row, before its update, in the first steps too; or when, after the warmup
/// and at least 20 steps, the average of the loss (exponential, 0.99) is above initial + max(0.5 |initial|, 3 spread),
/// of the first ten losses. When these explode themselves, 10 times the first three and 1.2 times the ten bound losses
/// that are not negative. In this average a loss counts for at most twice the bound, so that a lone spike cannot cross
/// it. The rate falls to a tenth the first time and by half after; after three returns training stops. For the robust
/// rule a batch that is shorter than others counts by its share of samples, as one hard sample weighs more in its mean:
/// what is judged is mean + (loss - mean) samples / most samples.
class LossGuard final : public Guard {
 public:
  /// Each of the two can be off. Without warmup_steps, training is judged from step 20.
  LossGuard(bool spike, bool divergence, std::int64_t warmup_steps, SpikeRule rule = SpikeRule::robust)
      : warn_(spike), roll_back_(divergence), warmup_steps_(warmup_steps), spikes_(rule) {}

  const char* name() const override { return "loss"; }
  std::optional<Anomaly> check_loss(const StepStats& stats) override;
  std::optional<Anomaly> accepted(const StepStats& stats) override;
  void rolled_back() override;
  void visit_state(StateVisitor& state) override;

  const SpikeDetector& spikes() const { return spikes_; }

 private:
  double weighed(const StepStats& stats) const;
  Anomaly spike(const StepStats& stats) const;
  Anomaly divergence(const StepStats& stats, std::string evidence);

  bool warn_, roll_back_;
  std::int64_t warmup_steps_;
  SpikeDetector spikes_;
  Index most_samples_ = 1;  // of a step so far
  Ema ema_;
  std::int64_t judged_ = 0;  // losses in the average
  Index rollbacks_ = 0;      // proposed so far
};

}  // namespace handrail::train
