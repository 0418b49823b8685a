#pragma once

#include <span>

namespace handrail::train {

/// A straight line through values at equal distances, by ordinary least squares.
struct LineFit {
  double mean = 0;         // of the values: where the line is in the middle of them
  double slope = 0;        // change from one value to the next
  double slope_error = 0;  // standard error: that of independent residuals times sqrt((1 + rho) / (1 - rho))
  double correlation = 0;  // rho, of neighbouring residuals, clamped to [0, 0.95]
  /// How many independent values would determine the line as well: n (1 - rho) / (1 + rho).
  double effective_count = 0;
};
/// Fits a line to values at the positions 0, 1, ..., n - 1. The errors assume residuals that are an AR(1) process.
/// values: finite, oldest first. For fewer than three values all fields are 0.
LineFit fit_line(std::span<const double> values);

}  // namespace handrail::train
