#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <handrail/train/math/state_visitor.h>

namespace handrail::train {

/// A debiased exponential moving average (Kingma and Ba 2015, section 3): after t values x_1 to x_t it is
/// (1 - beta) sum_i beta^(t-i) x_i / (1 - beta^t). The average of a constant series is exactly that constant from the
/// first value on.
class Ema {
 public:
  /// beta: in [0, 1); the average spans about 1 / (1 - beta) values.
  explicit Ema(double beta = 0.99) : beta_(beta) {}

  /// Adds the next value. One that is not finite stays in the average.
  void add(double x) {
    power_ *= beta_;
    // The recursion of the paper, rearranged so that the debiased value is what is stored.
    value_ += (x - value_) * (1 - beta_) / (1 - power_);
    if (power_ < 1e-20) power_ = 0;  // before it becomes a denormal
  }
  /// The average of the values added so far; 0 before the first.
  double value() const { return value_; }

  /// Reads or writes what it remembers, for checkpoints: see StateVisitor. beta is not part of it.
  void visit_state(StateVisitor& state);

 private:
  double beta_;
  double value_ = 0;
  double power_ = 1;  // beta^t
};

/// The last `capacity` values, oldest first, in contiguous memory: each value is stored twice, half a buffer apart.
/// Only the constructor allocates memory.
class Window {
 public:
  /// capacity: at least 1.
  explicit Window(std::size_t capacity) : capacity_(capacity), values_(2 * capacity) {}

  /// Adds a value; a full window drops its oldest one.
  void push(double x) {
    values_[next_] = values_[next_ + capacity_] = x;
    if (++next_ == capacity_) next_ = 0;
    if (size_ < capacity_) ++size_;
  }
  /// Forgets all values.
  void clear() { next_ = size_ = 0; }
  /// The number of values, at most the capacity.
  std::size_t size() const { return size_; }
  /// Whether the next value drops the oldest one.
  bool full() const { return size_ == capacity_; }
  /// The newest n values, oldest first, valid until the next push. n: at most size().
  std::span<const double> last(std::size_t n) const { return {values_.data() + next_ + capacity_ - n, n}; }
  /// All values, oldest first, valid until the next push.
  std::span<const double> values() const { return last(size_); }
  /// The oldest value of a window that is not empty.
  double oldest() const { return values_[next_ + capacity_ - size_]; }

  /// Reads or writes what it remembers, for checkpoints: see StateVisitor. The capacity is not part of it.
  void visit_state(StateVisitor& state);

 private:
  std::size_t capacity_;
  std::size_t next_ = 0, size_ = 0;
  std::vector<double> values_;
};

/// A summary of a series of any length: the means of fewer than 128 consecutive pieces of it, all equally long. When
/// there would be 128, neighbours are merged in pairs and further pieces are twice as long. A piece that is not
/// complete yet is left out.
class Outline {
 public:
  /// Adds the next value of the series.
  void push(double x) {
    sum_ += x;
    if (++inside_ == piece_) [[unlikely]]
      close();
  }
  /// Begins a new series.
  void clear() { *this = {}; }
  /// The means of the complete pieces, oldest first.
  std::span<const double> means() const { return {means_.data(), count_}; }
  /// How many values each of the means is taken over.
  std::int64_t piece() const { return piece_; }

  /// Reads or writes what it remembers, for checkpoints: see StateVisitor.
  void visit_state(StateVisitor& state);

 private:
  void close();

  std::array<double, 128> means_{};
  std::size_t count_ = 0;
  std::int64_t piece_ = 1, inside_ = 0;
  double sum_ = 0;  // of the values of the incomplete piece
};

}  // namespace handrail::train
