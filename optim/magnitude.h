#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <span>
#include <type_traits>

#include <handrail/core/scalar.h>

// Inside the library: the largest of many magnitudes, in loops that compilers vectorise.

namespace handrail::optim::detail {

/// A magnitude as an integer: in the order of the magnitudes, with infinity above all numbers and NaN
/// above infinity, so that the largest of many tells whether all are finite. max and fabs can lose a NaN.
using Bits = std::conditional_t<sizeof(Scalar) == 4, std::uint32_t, std::uint64_t>;

inline Bits magnitude(Scalar value) { return std::bit_cast<Bits>(value) & static_cast<Bits>(~Bits{0}) >> 1; }
inline double to_double(Bits magnitude) { return static_cast<double>(std::bit_cast<Scalar>(magnitude)); }

inline double largest_magnitude(std::span<const Scalar> values) {
  Bits largest = 0;
  for (const Scalar value : values) largest = std::max(largest, magnitude(value));
  return to_double(largest);
}

/// The larger of two magnitudes; NaN when one is.
inline double larger(double a, double b) { return a >= b || std::isnan(a) ? a : b; }

}  // namespace handrail::optim::detail
