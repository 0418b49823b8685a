#pragma once

#include <span>

namespace handrail::train {

/// A mean and how far it can be trusted.
struct Moments {
  double mean;
  double error;  // standard error of the mean; 0 for a single value
};
/// values: at least one.
Moments moments(std::span<const double> values);

/// The median; the mean of the middle two for an even count. Reorders the values: at least one, finite.
double median(std::span<double> values);

/// The middle and width of values that may contain outliers.
struct RobustScale {
  double median;
  double scale;  // 1.4826 times the median absolute deviation: the standard deviation, were they normal
};
/// Overwrites the values: at least one, finite.
RobustScale robust_scale(std::span<double> values);

/// The value below which that share of the values lies. Reorders them: at least one, finite.
double quantile(std::span<double> values, double share);

}  // namespace handrail::train
