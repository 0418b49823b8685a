#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <handrail/train/math/state_visitor.h>

namespace handrail::train {

/// Statistics of the first ten losses of a run, which later losses are compared with. They cover the losses added so
/// far until there are ten; further losses are ignored.
class InitialLoss {
 public:
  static constexpr std::size_t wanted = 10;  // how many losses the statistics are of

  /// Adds the next loss of the run, which must be finite; after the tenth it does nothing.
  void add(double loss) {
    if (count_ < wanted) [[unlikely]]
      note(loss);
  }
  /// Whether all ten losses have been added.
  bool known() const { return count_ == wanted; }
  /// The mean; 0 before the first loss.
  double mean() const { return mean_; }
  /// The mean of the absolute values: a positive scale also for losses that are negative or around zero.
  double magnitude() const { return magnitude_; }
  /// The absolute value of the median of the first three losses, which training can hardly have changed; 0 before the
  /// third.
  double opening() const { return opening_; }
  /// The standard deviation; 0 before the second loss.
  double spread() const { return spread_; }

  /// Reads or writes what it remembers, for checkpoints: see StateVisitor.
  void visit_state(StateVisitor& state);

 private:
  void note(double loss);

  std::array<double, wanted> losses_{};
  std::size_t count_ = 0;
  double mean_ = 0, magnitude_ = 0, opening_ = 0, spread_ = 0;
};

}  // namespace handrail::train
