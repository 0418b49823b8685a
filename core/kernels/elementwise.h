#pragma once

#include <handrail/core/kernels/gradient.h>
#include <handrail/core/kernels/activations.h>

// Inside the kernels: ops on each element, from the functions of one.

namespace handrail {
inline namespace HANDRAIL_SCALAR_NAMESPACE {
namespace kernels {
namespace {

template <Scalar f(Scalar)>
void forward(const Scalar* x, Index size, Scalar* __restrict y) {
  for (Index i = 0; i < size; ++i) y[i] = f(x[i]);
}

template <Scalar slope(Scalar)>
void backward(const Scalar* kept, const Scalar* gy, Index size, Scalar* __restrict to, bool accumulate) {
  write(to, size, accumulate, [=](Index i) { return gy[i] * slope(kept[i]); });
}

inline Scalar positive(Scalar x) { return x < 0 ? Scalar(0) : x; }
void relu_backward(const Scalar* y, const Scalar* gy, Index size, Scalar* __restrict to, bool accumulate) {
  write(to, size, accumulate, [=](Index i) {
    const Scalar g = gy[i];  // read always: a read under a condition would become a branch
    return y[i] > 0 ? g : Scalar(0);
  });
}

// Slopes, from the input x or the output y.
inline Scalar exp_slope(Scalar y) { return y; }
inline Scalar log_slope(Scalar x) { return 1 / x; }
inline Scalar sqrt_slope(Scalar y) { return Scalar(0.5) / y; }
inline Scalar squared(Scalar x) { return x * x; }
inline Scalar square_slope(Scalar x) { return 2 * x; }
inline Scalar abs_slope(Scalar x) { return (x > 0 ? Scalar(1) : Scalar(0)) - (x < 0 ? Scalar(1) : Scalar(0)); }
inline Scalar tanh_slope(Scalar y) { return 1 - y * y; }
inline Scalar sigmoid_slope(Scalar y) { return y * (1 - y); }

void affine(const Scalar* x, Index size, Scalar factor, Scalar offset, Scalar* __restrict y) {
  for (Index i = 0; i < size; ++i) y[i] = factor * x[i] + offset;
}

void scale(const Scalar* x, Index size, Scalar factor, Scalar* __restrict to, bool accumulate) {
  write(to, size, accumulate, [=](Index i) { return factor * x[i]; });
}

void multiply(const Scalar* a, const Scalar* b, Index size, Scalar* __restrict to, bool accumulate) {
  write(to, size, accumulate, [=](Index i) { return a[i] * b[i]; });
}

void from_bytes(const unsigned char* bytes, Index size, Scalar factor, Scalar offset, Scalar* __restrict y) {
  for (Index i = 0; i < size; ++i) y[i] = static_cast<Scalar>(bytes[i]) * factor + offset;
}

}  // namespace
}  // namespace kernels
}  // namespace HANDRAIL_SCALAR_NAMESPACE
}  // namespace handrail
