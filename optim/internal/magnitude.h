#pragma once

#include <cmath>
#include <iterator>
#include <span>

#include <handrail/core/kernels/kernels.h>

// Inside the library: the largest of many magnitudes.

namespace handrail::optim::detail {

/// Infinity when one is infinite and NaN when one is NaN, which max and fabs can lose.
inline double largest_magnitude(std::span<const Scalar> values) {
  return kernels_here().largest_magnitude(values.data(), std::ssize(values));
}

/// The larger of two magnitudes; NaN when one is.
inline double larger(double a, double b) { return a >= b || std::isnan(a) ? a : b; }

}  // namespace handrail::optim::detail
