#pragma once

#include <limits>
#include <optional>
#include <span>
#include <vector>

#include <handrail/core/scalar.h>
#include <handrail/train/math/state_visitor.h>
#include <handrail/train/option/off.h>

namespace handrail::train {

/// Whether a lower or a higher monitored value is better.
enum class MonitorMode { min, max };

/// When a monitored value counts as an improvement, so that the count of evaluations for the patience starts again.
enum class Improvement {
  significant,  // val_loss: significantly lower (see improved_significantly); any other value: better at all
  plain,        // better at all
};

/// Whether the losses `now` are significantly lower than the losses `reference` of the same groups of samples. A paired
/// test over the differences d = reference - now, one-sided 95 %: mean(d) > 1.645 sd(d) / sqrt(n).
/// With n < 30 groups it is mean(d) > 0 alone, because the test would miss real improvements: on iris, with 12
/// validation samples, training ended after 31 epochs instead of 55, and the test loss was 23 % higher.
/// reference, now: [n], one mean loss per group, in the same order.
bool improved_significantly(std::span<const double> reference, std::span<const double> now);

/// Decides which evaluation is the best, and when to stop because none was better for a number of evaluations. The best
/// evaluation is the one with the best value, significantly better or not; of equal values, which an accuracy on a small
/// set often has, the one with the lowest loss.
class EarlyStopping {
 public:
  /// patience: evaluations in a row without an improvement after which stop() is true; off: never.
  EarlyStopping(MonitorMode mode, Improvement improvement, OrOff<Index> patience)
      : mode_(mode), improvement_(improvement), patience_(patience) {}

  /// Adds the next evaluation. value: the monitored value. group_losses: the mean losses of groups of samples when
  /// `value` is their mean, otherwise empty. loss: that of the evaluation, which decides between equal values; NaN when
  /// there is none. Returns whether the evaluation is the best so far; a value that is not finite never is, and counts
  /// as an evaluation without improvement.
  bool add(double value, std::span<const double> group_losses,
           double loss = std::numeric_limits<double>::quiet_NaN());
  /// Whether `patience` evaluations in a row brought no improvement.
  bool stop() const { return patience_ && waited_ >= *patience_; }
  /// The number of evaluations since the last improvement.
  Index waited() const { return waited_; }

  /// Reads or writes the state, for checkpoints: see StateVisitor.
  void visit_state(StateVisitor& state);

 private:
  struct Score {
    double value, loss;
  };
  bool better(const Score& score, const Score& than) const;

  MonitorMode mode_;
  Improvement improvement_;
  OrOff<Index> patience_;
  Index waited_ = 0;
  std::optional<Score> best_;
  std::optional<Score> reference_;        // that of the last improvement
  std::vector<double> reference_groups_;  // its group losses
};

}  // namespace handrail::train
