#pragma once

#include <cstdint>

#include <handrail/core/scalar.h>

// Inside the kernels: mathematical functions of one element, named as in <cmath>. They have no branches, so that
// compilers vectorise loops over them. Errors are given in ulp, units of the last place, and are tested over the whole
// range for every instruction set.

namespace handrail {
inline namespace HANDRAIL_SCALAR_NAMESPACE {
namespace kernels {
namespace {

inline float abs(float x) { return __builtin_fabsf(x); }
inline double abs(double x) { return __builtin_fabs(x); }
inline float copysign(float x, float sign) { return __builtin_copysignf(x, sign); }
inline double copysign(double x, double sign) { return __builtin_copysign(x, sign); }
inline float sqrt(float x) { return __builtin_sqrtf(x); }
inline double sqrt(double x) { return __builtin_sqrt(x); }

// a * b + c, rounded once where the processor can. Nothing else is contracted (-ffp-contract=off): what compilers
// contract differs between them, and so would the bits.
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
inline float mul_add(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
inline double mul_add(double a, double b, double c) { return __builtin_fma(a, b, c); }
#else
inline float mul_add(float a, float b, float c) { return a * b + c; }
inline double mul_add(double a, double b, double c) { return a * b + c; }
#endif

// The polynomial of x with these coefficients, that of the highest power first, by Horner's rule.
template <class Number, class... Rest>
inline Number polynomial(Number x, Number highest, Rest... rest) {
  Number p = highest;
  ((p = mul_add(p, x, rest)), ...);
  return p;
}

// The bits of a number as an integer, and back.
inline std::int32_t bits_of(float x) { return __builtin_bit_cast(std::int32_t, x); }
inline std::int64_t bits_of(double x) { return __builtin_bit_cast(std::int64_t, x); }
inline float from_bits(std::int32_t bits) { return __builtin_bit_cast(float, bits); }
inline double from_bits(std::int64_t bits) { return __builtin_bit_cast(double, bits); }

// exp(x) = 2^n exp(r) with a whole number n and |r| <= ln(2) / 2 (Cody and Waite 1980). Adding `rounder`, which is
// 1.5 * 2^(bits of the mantissa), rounds x / ln(2) to n and leaves n in the low bits of the sum. Comparisons are
// written so that a NaN in x comes out as a NaN.

inline float power_of_2(std::int32_t n) { return __builtin_bit_cast(float, static_cast<std::uint32_t>(n + 127) << 23); }
inline double power_of_2(std::int64_t n) {
  return __builtin_bit_cast(double, static_cast<std::uint64_t>(n + 1023) << 52);
}

constexpr float float_rounder = 0x1.8p23F;
constexpr double double_rounder = 0x1.8p52;
inline std::int32_t rounded_to_int(float shifted) { return bits_of(shifted) - 0x4B400000; }
inline std::int64_t rounded_to_int(double shifted) { return bits_of(shifted) - 0x4338000000000000; }

// exp(x - n ln(2)) - 1 for the n in `shifted`, which is exponent_plus_rounder(x).
inline float expm1_of_remainder(float x, float shifted) {
  const float n = shifted - float_rounder;
  // ln(2) in two parts, the first with so few bits that its product with n is exact.
  const float r = mul_add(n, 2.12194440e-4F, mul_add(-n, 0.693359375F, x));
  // The coefficients are those of expf in Cephes.
  const float p = polynomial(r, 1.9875691500e-4F, 1.3981999507e-3F, 8.3334519073e-3F, 4.1665795894e-2F,
                             1.6666665459e-1F, 5.0000001201e-1F);
  return mul_add(p * r, r, r);
}

inline double expm1_of_remainder(double x, double shifted) {
  const double n = shifted - double_rounder;
  const double r = mul_add(-n, 1.42860682030941723212e-6, mul_add(-n, 6.93145751953125e-1, x));
  // From 1 / 13! on: the next term is too small to change the sum.
  const double p = polynomial(r, 1.0 / 6227020800, 1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800, 1.0 / 362880,
                              1.0 / 40320, 1.0 / 5040, 1.0 / 720, 1.0 / 120, 1.0 / 24, 1.0 / 6, 0.5);
  return mul_add(p * r, r, r);
}

inline float exponent_plus_rounder(float x) { return mul_add(x, 1.44269504F, float_rounder); }
inline double exponent_plus_rounder(double x) { return mul_add(x, 1.4426950408889634, double_rounder); }

// e^x. At most 2 ulp off. 2^n is applied as two factors, because n alone exceeds the range of exponents where the
// result is denormal or close to the largest number.
inline Scalar exp(Scalar x) {
  constexpr bool is_float = sizeof(Scalar) == 4;
  constexpr auto rounder = static_cast<Scalar>(is_float ? float_rounder : double_rounder);
  constexpr Scalar overflows = is_float ? 89 : 710, underflows = is_float ? -104 : -746;
  x = x > overflows ? overflows : x;
  x = x < underflows ? underflows : x;
  const Scalar shifted = exponent_plus_rounder(x);
  const auto half = rounded_to_int(mul_add(shifted - rounder, Scalar(0.5), rounder));
  return (expm1_of_remainder(x, shifted) + 1) * power_of_2(half) * power_of_2(rounded_to_int(shifted) - half);
}

// e^x - 1 for x in [0, 40], where 2^n is within the range of exponents.
inline Scalar expm1(Scalar x) {
  const Scalar shifted = exponent_plus_rounder(x);
  const Scalar scale = power_of_2(rounded_to_int(shifted));
  return mul_add(expm1_of_remainder(x, shifted), scale, scale - 1);
}

// The series 1/3 + z/5 + z^2/7 + ... up to the power `last` of z, which is chosen so that the next term is too small to
// change the sum. With z = s^2, log((1 + s) / (1 - s)) = 2 s (1 + z * series).
template <int last, int power = 0>
inline Scalar atanh_series(Scalar z) {
  constexpr Scalar term = Scalar(1) / (2 * power + 3);
  if constexpr (power == last)
    return term;
  else
    return mul_add(z, atanh_series<last, power + 1>(z), term);
}

// log(1 + x) for x in [0, 1]. At most 3 ulp off.
inline Scalar log1p(Scalar x) {
  constexpr int last = sizeof(Scalar) == 4 ? 6 : 15;  // z is at most 1/9
  const Scalar s = x / (2 + x), z = s * s;
  return mul_add(2 * s, z * atanh_series<last>(z), 2 * s);
}

// The natural logarithm: log(x) = n log(2) + log(m) with x = 2^n m and m from sqrt(1/2) to sqrt(2). At most 3 ulp off.
inline Scalar log(Scalar x) {
  constexpr bool is_float = sizeof(Scalar) == 4;
  constexpr int mantissa_bits = is_float ? 23 : 52, last = is_float ? 4 : 9;  // z is at most 0.03
  constexpr auto min_normal = static_cast<Scalar>(is_float ? 0x1p-126 : 0x1p-1022);
  constexpr auto denormal_scale = static_cast<Scalar>(is_float ? 0x1p23 : 0x1p52),
                 infinity = static_cast<Scalar>(__builtin_inf());
  constexpr auto sqrt_half = __builtin_bit_cast(decltype(bits_of(x)), static_cast<Scalar>(0.70710678118654752440));
  // log(2) in two parts, the first with so few bits that its product with n is exact.
  constexpr auto high = static_cast<Scalar>(is_float ? 0.693359375 : 6.93145751953125e-1);
  constexpr auto low = static_cast<Scalar>(is_float ? -2.12194440e-4 : 1.42860682030941723212e-6);

  const bool denormal = x < min_normal;
  const auto bits = bits_of(abs(denormal ? x * denormal_scale : x)) - sqrt_half;
  const Scalar n = static_cast<Scalar>(bits >> mantissa_bits) - (denormal ? Scalar(mantissa_bits) : Scalar(0));
  const Scalar m = from_bits((bits & ((decltype(bits){1} << mantissa_bits) - 1)) + sqrt_half);
  const Scalar s = (m - 1) / (m + 1), z = s * s;
  const Scalar y = mul_add(n, high, 2 * s + mul_add(2 * s, z * atanh_series<last>(z), n * low));
  return x > 0 ? (x < infinity ? y : x) : x == 0 ? -infinity : static_cast<Scalar>(__builtin_nan(""));
}

}  // namespace
}  // namespace kernels
}  // namespace HANDRAIL_SCALAR_NAMESPACE
}  // namespace handrail
