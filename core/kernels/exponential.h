#pragma once

#include <handrail/core/kernels/table.h>

// Inside the kernels: the exponential function, without branches, so that loops over it become vectors.

namespace handrail {
inline namespace HANDRAIL_SCALAR_NAMESPACE {
namespace kernels {
namespace {

// exp(x) = 2^n exp(r) with n whole and |r| <= ln(2) / 2; Cody and Waite 1980. Comparisons are written so that a
// NaN stays one. Adding 1.5 * 2^(bits of the mantissa) rounds x / ln(2) to n, which is then in the low bits.

inline float power_of_2(std::int32_t n) { return __builtin_bit_cast(float, static_cast<std::uint32_t>(n + 127) << 23); }
inline double power_of_2(std::int64_t n) {
  return __builtin_bit_cast(double, static_cast<std::uint64_t>(n + 1023) << 52);
}

constexpr float whole_float = 0x1.8p23F;
constexpr double whole_double = 0x1.8p52;
inline std::int32_t low_bits(float shifted) { return __builtin_bit_cast(std::int32_t, shifted) - 0x4B400000; }
inline std::int64_t low_bits(double shifted) { return __builtin_bit_cast(std::int64_t, shifted) - 0x4338000000000000; }

// exp(r) - 1, when n is what is in `shifted`.
inline float rest(float x, float shifted) {
  const float n = shifted - whole_float;
  // ln(2) in two parts, the first with so few bits that its product with n is exact.
  const float r = (x - n * 0.693359375F) + n * 2.12194440e-4F;
  float p = 1.9875691500e-4F;  // Cephes, expf
  p = p * r + 1.3981999507e-3F;
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  return p * r * r + r;
}

inline double rest(double x, double shifted) {
  const double n = shifted - whole_double;
  const double r = (x - n * 6.93145751953125e-1) - n * 1.42860682030941723212e-6;
  double p = 1.0 / 6227020800;  // 1 / 13!: the next term is below a rounding
  p = p * r + 1.0 / 479001600;
  p = p * r + 1.0 / 39916800;
  p = p * r + 1.0 / 3628800;
  p = p * r + 1.0 / 362880;
  p = p * r + 1.0 / 40320;
  p = p * r + 1.0 / 5040;
  p = p * r + 1.0 / 720;
  p = p * r + 1.0 / 120;
  p = p * r + 1.0 / 24;
  p = p * r + 1.0 / 6;
  p = p * r + 0.5;
  return p * r * r + r;
}

inline float shifted_exponent(float x) { return x * 1.44269504F + whole_float; }
inline double shifted_exponent(double x) { return x * 1.4426950408889634 + whole_double; }

// At most 2 ulp off. 2^n comes in two factors: for results below the smallest normal number and at the upper end, n is
// out of the range of exponents.
inline Scalar exponential(Scalar x) {
  constexpr bool is_float = sizeof(Scalar) == 4;
  constexpr auto whole = static_cast<Scalar>(is_float ? whole_float : whole_double);
  constexpr Scalar most = is_float ? 89 : 710, least = is_float ? -104 : -746;
  x = x > most ? most : x;
  x = x < least ? least : x;
  const Scalar shifted = shifted_exponent(x);
  const auto half = low_bits((shifted - whole) * Scalar(0.5) + whole);
  return (rest(x, shifted) + 1) * power_of_2(half) * power_of_2(low_bits(shifted) - half);
}

// exp(x) - 1 for x in [0, 40], where 2^n is one factor.
inline Scalar exponential_minus_1(Scalar x) {
  const Scalar shifted = shifted_exponent(x);
  const Scalar scale = power_of_2(low_bits(shifted));
  return rest(x, shifted) * scale + (scale - 1);
}

}  // namespace
}  // namespace kernels
}  // namespace HANDRAIL_SCALAR_NAMESPACE
}  // namespace handrail
