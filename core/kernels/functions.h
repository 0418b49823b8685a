#pragma once

#include <handrail/core/kernels/table.h>

// Inside the kernels: functions of one element, without branches, so that loops over them become vectors.

namespace handrail {
inline namespace HANDRAIL_SCALAR_NAMESPACE {
namespace kernels {
namespace {

inline float absolute(float x) { return __builtin_fabsf(x); }
inline double absolute(double x) { return __builtin_fabs(x); }
inline float with_sign(float size, float of) { return __builtin_copysignf(size, of); }
inline double with_sign(double size, double of) { return __builtin_copysign(size, of); }
inline float root(float x) { return __builtin_sqrtf(x); }
inline double root(double x) { return __builtin_sqrt(x); }

// The bits of a number, and the number of bits.
inline std::int32_t bits_of(float x) { return __builtin_bit_cast(std::int32_t, x); }
inline std::int64_t bits_of(double x) { return __builtin_bit_cast(std::int64_t, x); }
inline float from_bits(std::int32_t bits) { return __builtin_bit_cast(float, bits); }
inline double from_bits(std::int64_t bits) { return __builtin_bit_cast(double, bits); }

// exp(x) = 2^n exp(r) with n whole and |r| <= ln(2) / 2; Cody and Waite 1980. Comparisons are written so that a
// NaN stays one. Adding 1.5 * 2^(bits of the mantissa) rounds x / ln(2) to n, which is then in the low bits.

inline float power_of_2(std::int32_t n) { return __builtin_bit_cast(float, static_cast<std::uint32_t>(n + 127) << 23); }
inline double power_of_2(std::int64_t n) {
  return __builtin_bit_cast(double, static_cast<std::uint64_t>(n + 1023) << 52);
}

constexpr float whole_float = 0x1.8p23F;
constexpr double whole_double = 0x1.8p52;
inline std::int32_t low_bits(float shifted) { return bits_of(shifted) - 0x4B400000; }
inline std::int64_t low_bits(double shifted) { return bits_of(shifted) - 0x4338000000000000; }

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

// 1/3 + z/5 + z^2/7 + ...: log((1 + s) / (1 - s)) is 2 s (1 + z times that) of z = s^2. `last` is the power of the last
// term, chosen so that the next one is below a rounding.
template <int last, int power = 0>
inline Scalar odd_reciprocals(Scalar z) {
  constexpr Scalar term = Scalar(1) / (2 * power + 3);
  if constexpr (power == last)
    return term;
  else
    return term + z * odd_reciprocals<last, power + 1>(z);
}

// log(1 + x) for x in [0, 1]; at most 3 ulp off.
inline Scalar logarithm_1_plus(Scalar x) {
  constexpr int last = sizeof(Scalar) == 4 ? 6 : 15;  // z is at most 1/9
  const Scalar s = x / (2 + x), z = s * s;
  return 2 * s + 2 * s * (z * odd_reciprocals<last>(z));
}

// log(x) = n log(2) + log(m) with x = 2^n m and m from sqrt(1/2) to sqrt(2); at most 3 ulp off.
inline Scalar logarithm(Scalar x) {
  constexpr bool is_float = sizeof(Scalar) == 4;
  constexpr int mantissa_bits = is_float ? 23 : 52, last = is_float ? 4 : 9;  // z is at most 0.03
  constexpr auto least_normal = static_cast<Scalar>(is_float ? 0x1p-126 : 0x1p-1022);
  constexpr auto up = static_cast<Scalar>(is_float ? 0x1p23 : 0x1p52), infinity = static_cast<Scalar>(__builtin_inf());
  constexpr auto middle = __builtin_bit_cast(decltype(bits_of(x)), static_cast<Scalar>(0.70710678118654752440));
  // log(2) in two parts, the first with so few bits that its product with n is exact.
  constexpr auto high = static_cast<Scalar>(is_float ? 0.693359375 : 6.93145751953125e-1);
  constexpr auto low = static_cast<Scalar>(is_float ? -2.12194440e-4 : 1.42860682030941723212e-6);

  const bool tiny = x < least_normal;
  const auto bits = bits_of(absolute(tiny ? x * up : x)) - middle;
  const Scalar n = static_cast<Scalar>(bits >> mantissa_bits) - (tiny ? Scalar(mantissa_bits) : Scalar(0));
  const Scalar m = from_bits((bits & ((decltype(bits){1} << mantissa_bits) - 1)) + middle);
  const Scalar s = (m - 1) / (m + 1), z = s * s;
  const Scalar y = n * high + (2 * s + (n * low + 2 * s * (z * odd_reciprocals<last>(z))));
  return x > 0 ? (x < infinity ? y : x) : x == 0 ? -infinity : static_cast<Scalar>(__builtin_nan(""));
}

}  // namespace
}  // namespace kernels
}  // namespace HANDRAIL_SCALAR_NAMESPACE
}  // namespace handrail
