#pragma once

#include <span>

namespace handrail::train {

/// A straight line through values at equal distances, by ordinary least squares.
struct LineFit {
  double mean = 0;
  double slope = 0;        // from one value to the next
  double slope_error = 0;  // its standard error; that of independent residuals times sqrt((1 + rho) / (1 - rho))
  double correlation = 0;  // rho: of neighbouring residuals, clamped to [0, 0.95]
  /// How many independent values would say as much.
  double effective_count = 0;
};
/// values: finite, oldest first; all zeros for fewer than three.
LineFit fit_line(std::span<const double> values);

}  // namespace handrail::train
