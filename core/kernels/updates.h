#pragma once

#include <handrail/core/kernels/table.h>

// Inside the kernels: sums, magnitudes and the update rules.

namespace handrail {
inline namespace HANDRAIL_SCALAR_NAMESPACE {
namespace kernels {
namespace {

template <int bytes>
struct SignedOf {
  using Type = std::int32_t;
};
template <>
struct SignedOf<8> {
  using Type = std::int64_t;
};

// A magnitude as an integer: in the order of the magnitudes, with infinity above all numbers and NaN above
// infinity, so that the largest of many tells whether all are finite. Signed, as SSE2 has no other comparison.
using Bits = SignedOf<sizeof(Scalar)>::Type;

constexpr Bits magnitude_mask = static_cast<Bits>(sizeof(Scalar) == 4 ? 0x7FFFFFFFLL : 0x7FFFFFFFFFFFFFFFLL);
inline Bits magnitude(Scalar x) { return __builtin_bit_cast(Bits, x) & magnitude_mask; }
inline Bits larger(Bits a, Bits b) { return a > b ? a : b; }
inline double to_double(Bits magnitude) { return static_cast<double>(__builtin_bit_cast(Scalar, magnitude)); }

inline float root(float x) { return __builtin_sqrtf(x); }
inline double root(double x) { return __builtin_sqrt(x); }

// Several sums side by side, which compilers vectorise.
double sum_of_squares(const Scalar* x, Index size) {
  constexpr Index side_by_side = 16;
  double sums[side_by_side] = {};
  Index i = 0;
  for (; i + side_by_side <= size; i += side_by_side)
    for (Index j = 0; j < side_by_side; ++j) sums[j] += static_cast<double>(x[i + j]) * static_cast<double>(x[i + j]);
  for (; i < size; ++i) sums[0] += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  double total = 0;
  for (Index j = 0; j < side_by_side; ++j) total += sums[j];
  return total;
}

double largest_magnitude(const Scalar* x, Index size) {
  Bits largest = 0;
  for (Index i = 0; i < size; ++i) largest = larger(largest, magnitude(x[i]));
  return to_double(largest);
}

double adam(const AdamStep& step, const Scalar* __restrict g, Index size, Scalar* __restrict w, Scalar* __restrict m,
            Scalar* __restrict v) {
  const AdamStep c = step;  // a copy that the stores below cannot change
  Bits largest = 0;
  for (Index i = 0; i < size; ++i) {
    const Scalar grad = c.scale * g[i] + c.penalty * w[i];
    const Scalar first_moment = c.beta1 * m[i] + c.gain1 * grad;
    const Scalar second_moment = c.beta2 * v[i] + c.gain2 * grad * grad;
    const Scalar weight = c.keep * w[i] - c.rate * first_moment / (root(second_moment) * c.correction + c.eps);
    m[i] = first_moment;
    v[i] = second_moment;
    w[i] = weight;
    largest = larger(largest, larger(magnitude(weight), larger(magnitude(first_moment), magnitude(second_moment))));
  }
  return to_double(largest);
}

double sgd(const SgdStep& step, const Scalar* __restrict g, Index size, Scalar* __restrict w) {
  const SgdStep c = step;
  Bits largest = 0;
  for (Index i = 0; i < size; ++i) {
    const Scalar weight = w[i] - c.rate * (c.scale * g[i] + c.penalty * w[i]);
    w[i] = weight;
    largest = larger(largest, magnitude(weight));
  }
  return to_double(largest);
}

double sgd_momentum(const SgdStep& step, const Scalar* __restrict g, Index size, Scalar* __restrict w,
                    Scalar* __restrict u) {
  const SgdStep c = step;
  Bits largest = 0;
  for (Index i = 0; i < size; ++i) {
    const Scalar grad = c.scale * g[i] + c.penalty * w[i];
    const Scalar moment = c.momentum * u[i] + grad;
    const Scalar weight = w[i] - c.rate * (c.direct * grad + c.ahead * moment);
    u[i] = moment;
    w[i] = weight;
    largest = larger(largest, larger(magnitude(weight), magnitude(moment)));
  }
  return to_double(largest);
}

}  // namespace
}  // namespace kernels
}  // namespace HANDRAIL_SCALAR_NAMESPACE
}  // namespace handrail
