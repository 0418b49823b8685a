#pragma once

#include <cmath>
#include <iterator>
#include <span>

#include <handrail/core/system/internal/kernels.h>

// Inside the library: the largest magnitude, NaN included.

namespace handrail::optim::detail {

/// The largest |value|: NaN when a value is NaN, else infinity when one is infinite. std::max would lose a NaN.
inline double largest_magnitude(std::span<const Scalar> values) {
  return kernels_here().largest_magnitude(values.data(), std::ssize(values));
}

/// The larger of two magnitudes; NaN when one of them is NaN.
inline double larger(double a, double b) { return a >= b || std::isnan(a) ? a : b; }

}  // namespace handrail::optim::detail
