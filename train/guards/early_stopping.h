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

/// Which evaluations count for the patience. A value other than val_loss always has the plain rule.
enum class Improvement {
  significant,  // val_loss: tests on the losses of groups of samples decide; see EarlyStopping
  plain,        // those that are not better than the best one
};

/// Whether the losses `now` are significantly lower than the losses `reference` of the same groups of samples. A paired
/// test over the differences d = reference - now, one-sided 95 %: mean(d) > 1.645 sd(d) / sqrt(n).
/// With n < 30 groups it is mean(d) > 0 alone, because the test would miss real improvements: on iris, with 12
/// validation samples, training ended after 31 epochs instead of 55, and the test loss was 23 % higher.
/// reference, now: [n], one mean loss per group, in the same order.
bool improved_significantly(std::span<const double> reference, std::span<const double> now);

/// Whether the losses `now` are higher than the losses `reference` of the same groups of samples, by at least so many
/// standard errors of the mean difference. Losses that are all the same count as higher.
/// reference, now: [n], one mean loss per group, in the same order.
bool worsened(std::span<const double> reference, std::span<const double> now, double errors = 1);

/// Decides which evaluation is the best, and when to stop because none was better for a number of evaluations.
///
/// While the rate falls to 0, with Improvement::significant, the best evaluation is the last one that is not worse than
/// the lowest loss so far by half a standard error (see worsened): of losses that are the same within their noise, the
/// lowest is so by chance, and weights of a lower rate have less noise of their own. Otherwise it is the one with the
/// best value; of equal values, which an accuracy on a small set often has, the one with the lowest loss.
///
/// It stops when `patience` evaluations in a row count. With Improvement::significant these are
/// - while the rate falls to 0: those that are worse than the lowest by a standard error. A loss that is as low as that
/// within its noise
///   falls further with the rate, so that stopping early would lose what the run was made for;
/// - with a constant rate: those that are not significantly lower than the last one that was. Noise alone brings better
///   values now and then, and must not prolong the run for ever.
/// docs/early_stopping.md has what other rules come to.
class EarlyStopping {
 public:
  /// patience: evaluations in a row that count after which stop() is true; off: never. rate_falls: whether the learning
  /// rate falls to 0 by the end of the run.
  EarlyStopping(MonitorMode mode, Improvement improvement, OrOff<Index> patience, bool rate_falls = false)
      : mode_(mode), improvement_(improvement), patience_(patience), rate_falls_(rate_falls) {}

  /// Adds the next evaluation. value: the monitored value. group_losses: the mean losses of groups of samples when
  /// `value` is their mean, otherwise empty. loss: that of the evaluation, which decides between equal values; NaN when
  /// there is none. Returns whether the evaluation is the best one now; a value that is not finite never is, and counts
  /// for the patience.
  bool add(double value, std::span<const double> group_losses, double loss = std::numeric_limits<double>::quiet_NaN());
  /// Whether the patience is used up.
  bool stop() const { return patience_ && waited_ >= *patience_; }
  /// The number of evaluations in a row that count.
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
  bool rate_falls_;
  Index waited_ = 0;
  std::optional<Score> best_;             // the best value
  std::optional<Score> reference_;        // what the next evaluation is compared with for the patience
  std::vector<double> reference_groups_;  // its group losses
};

}  // namespace handrail::train
