#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <handrail/train/math/state_visitor.h>

namespace handrail::train {

/// An exponential moving average that starts at zero and is debiased by its own count (Kingma and Ba
/// 2015, section 3): value = (1 - beta) sum beta^(t-i) x_i / (1 - beta^t). A constant series reads as
/// exactly that constant from the first value on.
class Ema {
 public:
  explicit Ema(double beta = 0.99) : beta_(beta) {}

  void add(double x) {
    power_ *= beta_;
    // The same recursion, rearranged for the debiased value.
    value_ += (x - value_) * (1 - beta_) / (1 - power_);
    if (power_ < 1e-20) power_ = 0;  // before it becomes a denormal
  }
  /// 0 before the first.
  double value() const { return value_; }

  void visit_state(StateVisitor& state);

 private:
  double beta_;
  double value_ = 0;
  double power_ = 1;  // beta^t
};

/// The last `capacity` values in one piece, oldest first: each is stored twice, half a buffer apart.
/// Memory is allocated by the constructor alone.
class Window {
 public:
  explicit Window(std::size_t capacity) : capacity_(capacity), values_(2 * capacity) {}

  void push(double x) {
    values_[next_] = values_[next_ + capacity_] = x;
    if (++next_ == capacity_) next_ = 0;
    if (size_ < capacity_) ++size_;
  }
  void clear() { next_ = size_ = 0; }
  std::size_t size() const { return size_; }
  bool full() const { return size_ == capacity_; }
  /// The newest n, at most size().
  std::span<const double> last(std::size_t n) const { return {values_.data() + next_ + capacity_ - n, n}; }
  std::span<const double> values() const { return last(size_); }
  /// Of at least one.
  double oldest() const { return values_[next_ + capacity_ - size_]; }

  void visit_state(StateVisitor& state);

 private:
  std::size_t capacity_;
  std::size_t next_ = 0, size_ = 0;
  std::vector<double> values_;
};

/// A series of any length as the means of at most 128 pieces of it, equally long and in order: when there are
/// more, neighbours are merged. A piece that is not complete yet is left out.
class Outline {
 public:
  void push(double x) {
    sum_ += x;
    if (++inside_ == piece_) [[unlikely]]
      close();
  }
  void clear() { *this = {}; }
  std::span<const double> means() const { return {means_.data(), count_}; }
  /// The number of values to a piece.
  std::int64_t piece() const { return piece_; }

  void visit_state(StateVisitor& state);

 private:
  void close();

  std::array<double, 128> means_{};
  std::size_t count_ = 0;
  std::int64_t piece_ = 1, inside_ = 0;
  double sum_ = 0;  // of the piece under way
};

}  // namespace handrail::train
