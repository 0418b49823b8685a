#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <handrail/train/math/state_visitor.h>

namespace handrail::train {

/// What losses were like at the start: statistics of the first ten.
class InitialLoss {
 public:
  static constexpr std::size_t wanted = 10;

  void add(double loss) {
    if (count_ < wanted) [[unlikely]]
      note(loss);
  }
  bool known() const { return count_ == wanted; }
  /// 0 before the first.
  double mean() const { return mean_; }
  /// The mean of the absolute values, which is sane for losses that are negative or around zero.
  double magnitude() const { return magnitude_; }
  /// The median of the first three, before training can have changed much; 0 before.
  double opening() const { return opening_; }
  /// The standard deviation; 0 before the second.
  double spread() const { return spread_; }

  void visit_state(StateVisitor& state);

 private:
  void note(double loss);

  std::array<double, wanted> losses_{};
  std::size_t count_ = 0;
  double mean_ = 0, magnitude_ = 0, opening_ = 0, spread_ = 0;
};

}  // namespace handrail::train
