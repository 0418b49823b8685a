#pragma once

#include <bit>
#include <cstdint>
#include <span>
#include <type_traits>

#include <handrail/core/tensor.h>

namespace handrail {

/// Whether the value is neither NaN nor infinite. It looks at the bits, so it holds with every compiler option.
template <class Real>
constexpr bool is_finite(Real value) {
  using Bits = std::conditional_t<sizeof(Real) == 4, std::uint32_t, std::uint64_t>;
  constexpr Bits exponent = sizeof(Real) == 4 ? Bits{0x7F800000} : static_cast<Bits>(0x7FF0000000000000);
  return (std::bit_cast<Bits>(value) & exponent) != exponent;
}

inline namespace HANDRAIL_SCALAR_NAMESPACE {

/// The position of the first value that is NaN or infinite; -1 when all are finite.
Index first_non_finite(std::span<const Scalar> values);

}  // namespace HANDRAIL_SCALAR_NAMESPACE
}  // namespace handrail
