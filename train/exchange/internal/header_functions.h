#pragma once

#include <string_view>

namespace handrail::train {

// The functions that headers of export_header have. They compute what core/kernels/functions.h, normal.h, norms.h,
// sums.h and elementwise_ops.h compute in float, operation by operation: a change there is a change here.
inline constexpr std::string_view header_functions = R"code(
// a * b + c, rounded once.
inline float mul_add(float a, float b, float c) { return std::fma(a, b, c); }

template <std::size_t count>
inline float polynomial(float x, const float (&coefficients)[count]) {
  float p = coefficients[0];
  for (std::size_t i = 1; i < count; ++i) p = mul_add(p, x, coefficients[i]);
  return p;
}

inline std::int32_t rounded_to_int(float shifted) {
  std::int32_t bits;
  std::memcpy(&bits, &shifted, sizeof bits);
  return bits - 0x4B400000;
}
inline float power_of_2(std::int32_t n) {
  const std::uint32_t bits = static_cast<std::uint32_t>(n + 127) << 23;
  float power;
  std::memcpy(&power, &bits, sizeof power);
  return power;
}

constexpr float rounder = 0x1.8p23F;
inline float exponent_plus_rounder(float x) { return mul_add(x, 1.44269504F, rounder); }
inline float expm1_of_remainder(float x, float shifted) {
  constexpr float coefficients[] = {1.9875691500e-4F, 1.3981999507e-3F, 8.3334519073e-3F,
                                    4.1665795894e-2F, 1.6666665459e-1F, 5.0000001201e-1F};
  const float n = shifted - rounder;
  const float r = mul_add(n, 2.12194440e-4F, mul_add(-n, 0.693359375F, x));
  const float p = polynomial(r, coefficients);
  return mul_add(p * r, r, r);
}

inline float exp(float x) {
  x = x > 89.0F ? 89.0F : x;
  x = x < -104.0F ? -104.0F : x;
  const float shifted = exponent_plus_rounder(x);
  const std::int32_t half = rounded_to_int(mul_add(shifted - rounder, 0.5F, rounder));
  return (expm1_of_remainder(x, shifted) + 1.0F) * power_of_2(half) * power_of_2(rounded_to_int(shifted) - half);
}
inline float expm1(float x) {
  const float shifted = exponent_plus_rounder(x);
  const float scale = power_of_2(rounded_to_int(shifted));
  return mul_add(expm1_of_remainder(x, shifted), scale, scale - 1.0F);
}
inline float log1p(float x) {
  constexpr float coefficients[] = {1.0F / 15, 1.0F / 13, 1.0F / 11, 1.0F / 9, 1.0F / 7, 1.0F / 5, 1.0F / 3};
  const float s = x / (2.0F + x), z = s * s;
  return mul_add(2.0F * s, z * polynomial(z, coefficients), 2.0F * s);
}

inline float relu(float x) { return x < 0.0F ? 0.0F : x; }
inline float tanh(float x) {
  const float size = std::fabs(x);
  const float e = expm1(2.0F * (size > 10.0F ? 10.0F : size));
  return std::copysign(e / (e + 2.0F), x);
}
inline float sigmoid(float x) {
  const float e = exp(-std::fabs(x));
  return (x >= 0.0F ? 1.0F : e) / (1.0F + e);
}
inline float softplus(float x) { return (x > 0.0F ? x : 0.0F) + log1p(exp(-std::fabs(x))); }
inline float gelu(float x) {
  constexpr float tail_coefficients[] = {
      -2.3126725887987436e-05F, 1.4574885754740362e-05F, 0.00039891396652012005F, -0.0009653608664349754F,
      -0.004377928790712392F,   0.03780533682465598F,    -0.14216537413178154F,   0.3568301168602693F,
      -0.6596053747481869F,     0.9255424434364F};
  constexpr float central_coefficients[] = {-4.12266741e-08F, 6.65969352e-07F, -9.44465626e-06F, 0.000115434688F,
                                            -0.00118732822F,  0.00997355701F,  -0.0664903801F,   0.39894228F};
  const float size = std::fabs(x);
  const float s = size > 14.5F ? 14.5F : size;
  const float e = exp(-0.5F * s * s);
  const float w = 1.0F / (s + 4.25F);
  const float tail = e * (polynomial(mul_add(-10.9913793F, w, 1.58620690F), tail_coefficients) * w);
  const float central = mul_add(x, polynomial(x * x, central_coefficients), 0.5F);
  return x * (size < 1.0F ? central : x < 0.0F ? tail : 1.0F - tail);
}

// The sum of up to 8,192 numbers: 16 sums side by side, which are then added in pairs.
inline float short_sum(const float* x, std::size_t size) {
  float total = 0.0F;
  std::size_t i = 0;
  if (size >= 16) {
    float sums[16] = {};
    for (; i + 16 <= size; i += 16)
      for (std::size_t j = 0; j < 16; ++j) sums[j] += x[i + j];
    for (std::size_t half = 8; half > 0; half /= 2)
      for (std::size_t j = 0; j < half; ++j) sums[j] += sums[j + half];
    total = sums[0];
  }
  for (; i < size; ++i) total += x[i];
  return total;
}
inline float row_sum(const float* x, std::size_t size) {
  constexpr std::size_t part = 8192;
  if (size <= part) return short_sum(x, size);
  double total = 0.0;
  for (std::size_t i = 0; i < size; i += part) total += static_cast<double>(short_sum(x + i, size - i < part ? size - i : part));
  return static_cast<float>(total);
}

// The operations. x and y: [rows, cols], row-major; y may be x where both have as many columns.
inline void linear(const float* x, std::size_t rows, std::size_t in, std::size_t out, const float* weight,
                   const float* bias, float* y) {
  for (std::size_t i = 0; i < rows; ++i, x += in, y += out) {
    for (std::size_t j = 0; j < out; ++j) y[j] = bias ? bias[j] : 0.0F;
    for (std::size_t k = 0; k < in; ++k)
      for (std::size_t j = 0; j < out; ++j) y[j] = mul_add(x[k], weight[k * out + j], y[j]);
  }
}
inline void layer_norm(float* x, std::size_t rows, std::size_t cols, const float* gain, const float* shift, float eps,
                       float* squares) {
  for (std::size_t i = 0; i < rows; ++i, x += cols) {
    const float mean = row_sum(x, cols) / static_cast<float>(cols);
    for (std::size_t j = 0; j < cols; ++j) squares[j] = (x[j] - mean) * (x[j] - mean);
    const float inverse = 1.0F / std::sqrt(row_sum(squares, cols) / static_cast<float>(cols) + eps);
    for (std::size_t j = 0; j < cols; ++j) x[j] = mul_add(gain[j], (x[j] - mean) * inverse, shift[j]);
  }
}
inline void batch_norm(float* x, std::size_t rows, std::size_t cols, const float* gain, const float* shift,
                       const float* mean, const float* inverse) {
  for (std::size_t i = 0; i < rows; ++i, x += cols)
    for (std::size_t j = 0; j < cols; ++j) x[j] = mul_add(gain[j], (x[j] - mean[j]) * inverse[j], shift[j]);
}
inline void impute(float* x, std::size_t rows, std::size_t cols, const float* code, const float* is_coded,
                   const float* value) {
  for (std::size_t i = 0; i < rows; ++i, x += cols)
    for (std::size_t j = 0; j < cols; ++j)
      x[j] = is_coded[j] != 0.0F && x[j] == code[j] ? x[j] * 0.0F + value[j] : x[j] + 0.0F;
}
inline void smooth_clip(float* x, std::size_t rows, std::size_t cols, const float* bend) {
  for (std::size_t i = 0; i < rows; ++i, x += cols)
    for (std::size_t j = 0; j < cols; ++j) {
      const float t = bend[j] * x[j];
      if (bend[j] != 0.0F) x[j] = std::abs(t) > 1e8F ? std::copysign(1 / bend[j], x[j]) : x[j] / std::sqrt(1 + t * t);
    }
}
inline float clamped(float x, float low, float high) { return x < low ? low : x > high ? high : x; }
)code";

// How the file begins.
inline constexpr std::string_view header_start =
    R"code(// Written by handrail: a trained model without dependencies, for C++17. See docs/guides/exporting.md of handrail.
// predict() returns the bits that the model returned in handrail, with kernels that fuse products and sums.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

#ifdef __FAST_MATH__
#error "-ffast-math would change the outputs of this model: compile without it"
#endif
// What is not written as a fused multiply-add must not become one.
#if defined(__clang__)
#pragma clang fp contract(off)
#elif defined(__GNUC__)
#pragma GCC push_options
#pragma GCC optimize("fp-contract=off")
#endif
)code";

// How it ends.
inline constexpr std::string_view header_end = R"code(
#if defined(__clang__)
#pragma clang fp contract(on)
#elif defined(__GNUC__)
#pragma GCC pop_options
#endif
)code";

// For models that classify.
inline constexpr std::string_view header_class_function = R"code(
/// The class of the largest output for one sample, the first of several equal ones. x: [input_size].
inline std::size_t predict_class(const float* x) {
  float y[output_size];
  predict(x, y);
  std::size_t largest = 0;
  for (std::size_t i = 1; i < output_size; ++i)
    if (y[i] > y[largest]) largest = i;
  return largest;
}
)code";

}  // namespace handrail::train
