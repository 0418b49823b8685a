#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace handrail::train::html {

/// The values of some neighbouring steps. A bucket without finite values is a gap of the curve: low > high.
struct Bucket {
  std::int64_t first, last;                                           // the steps of the first and the last value
  double low = std::numeric_limits<double>::infinity(), high = -low;  // of the finite values
  double value = std::numeric_limits<double>::quiet_NaN();            // the last finite one

  bool is_gap() const { return low > high; }
  void add(std::int64_t step, double x) {
    last = step;
    if (!(std::abs(x) <= std::numeric_limits<double>::max())) return;
    value = x;
    if (x < low) low = x;
    if (x > high) high = x;
  }
  /// Adds the values of the next bucket.
  void add(const Bucket& next) {
    last = next.last;
    if (next.is_gap()) return;
    value = next.value;
    if (next.low < low) low = next.low;
    if (next.high > high) high = next.high;
  }
};

/// A figure over the steps of a run, in a bounded number of buckets, each of which keeps its extremes. A bucket covers
/// `stride` steps, from a multiple of the stride on; when there is no room for another one, the stride doubles. Figures
/// that come every hundredth step keep a bucket each as long as there is room, whatever the others need.
/// All memory is taken by the constructor.
class Curve {
 public:
  /// max_buckets: at least 2.
  Curve() : Curve(1024) {}
  explicit Curve(std::size_t max_buckets) : max_buckets_(max_buckets) { buckets_.reserve(max_buckets); }

  /// Adds the value at a step that is not before the step of the last call. A value that is not finite makes a gap
  /// where no other value of the bucket is finite.
  void add(std::int64_t step, double value) {
    if (step >= end_) begin(step);
    buckets_.back().add(step, value);
  }

  std::span<const Bucket> buckets() const { return buckets_; }
  std::int64_t stride() const { return stride_; }
  bool empty() const { return buckets_.empty(); }

 private:
  void begin(std::int64_t step);
  void double_stride();

  std::size_t max_buckets_;
  std::vector<Bucket> buckets_;
  std::int64_t stride_ = 1;
  std::int64_t end_ = std::numeric_limits<std::int64_t>::min();  // the first step after the last bucket
};

/// The least and the greatest finite value of some curves; low > high when there is none.
struct Extent {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  double least_positive = low;  // infinite when there is none

  bool empty() const { return low > high; }
  void add(double value) {
    if (!std::isfinite(value)) return;
    if (value < low) low = value;
    if (value > high) high = value;
    if (value > 0 && value < least_positive) least_positive = value;
  }
  void add(const Curve& curve) {
    // The last value may be the only positive one that is known of a bucket with zeros.
    for (const Bucket& bucket : curve.buckets()) add(bucket.low), add(bucket.value), add(bucket.high);
  }
};

}  // namespace handrail::train::html
