#pragma once

#include <optional>
#include <span>
#include <vector>

#include <handrail/core/scalar.h>
#include <handrail/train/math/state_visitor.h>
#include <handrail/train/option/off.h>

namespace handrail::train {

enum class MonitorMode { min, max };

/// When a monitored value counts as an improvement that resets the patience.
enum class Improvement {
  significant,  // a val_loss lower by more than noise: a paired test over groups of samples, one-sided 95 %
  plain,        // any
};

/// Whether losses are lower than the reference ones by more than noise, both over the same groups of
/// samples: mean(d) > 1.645 sd(d) / sqrt(n), d = reference - now; one-sided 95 %. With fewer than 30 groups
/// the test would miss real improvements (iris, 12 validation samples: training ended after 31 epochs of 55
/// and the test loss was 23 % higher), so then it is whether they are lower at all.
bool improved_significantly(std::span<const double> reference, std::span<const double> now);

/// Decides which evaluation is the best, and when training has gone on long enough without one that is
/// better. The best is the plain best; the patience begins anew only with a significant one.
class EarlyStopping {
 public:
  EarlyStopping(MonitorMode mode, Improvement improvement, OrOff<Index> patience)
      : mode_(mode), improvement_(improvement), patience_(patience) {}

  /// Takes the next evaluation: the monitored value and, when it is a mean loss, the losses of groups of
  /// samples. Returns whether the value is the best so far; one that is not finite never is.
  bool add(double value, std::span<const double> group_losses);
  /// Whether the patience is used up.
  bool stop() const { return patience_ && waited_ >= *patience_; }
  Index waited() const { return waited_; }

  void visit_state(StateVisitor& state);

 private:
  bool better(double value, double than) const { return mode_ == MonitorMode::min ? value < than : value > than; }

  MonitorMode mode_;
  Improvement improvement_;
  OrOff<Index> patience_;
  Index waited_ = 0;
  std::optional<double> best_;
  std::optional<double> reference_;       // the last significant best
  std::vector<double> reference_groups_;  // its losses
};

}  // namespace handrail::train
