#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <span>

namespace handrail::train {

/// A mean and its uncertainty.
struct Moments {
  double mean;   // with the same weight for each value
  double error;  // standard error of the mean; 0 for a single value
};
/// The mean of the values and its standard error, from the sample variance. values: at least one.
Moments moments(std::span<const double> values);
/// The mean of the differences a - b of pairs, and its standard error. a, b: as many values each, at least one.
Moments paired_moments(std::span<const double> a, std::span<const double> b);

/// The median: for an even count the mean of the two middle values. values: at least one, finite; they are reordered.
double median(std::span<double> values);

/// Whether the values ascend or descend, equal ones among them or not.
bool is_in_order(const auto& values) {
  return std::ranges::is_sorted(values) || std::ranges::is_sorted(values, std::greater{});
}

/// How many of these values are different. values: in ascending order.
template <class T>
std::size_t count_different(std::span<const T> values) {
  std::size_t count = values.empty() ? 0 : 1;
  for (std::size_t i = 1; i < values.size(); ++i) count += values[i] != values[i - 1];
  return count;
}

/// Location and scale of values, which outliers hardly change.
struct RobustScale {
  double median;  // for an even count the mean of the two middle values
  double scale;   // 1.4826 times the median absolute deviation, which is the standard deviation of normal values
};
/// The median and the scaled median absolute deviation. values: at least one, finite; they are overwritten.
RobustScale robust_scale(std::span<double> values);

}  // namespace handrail::train
