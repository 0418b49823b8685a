#pragma once

#include <handrail/core/kernels/elementwise_ops.h>
#include <handrail/core/kernels/gradient.h>
#include <handrail/core/kernels/table.h>

// Inside the kernels: loops over elements, for the ops of elementwise_ops.h and for simple sums and products.

namespace handrail {
inline namespace HANDRAIL_SCALAR_NAMESPACE {
namespace kernels {
namespace {

template <class Op>
void forward(const Scalar* x, Index size, Scalar* __restrict y) {
  for (Index i = 0; i < size; ++i) y[i] = Op::value(x[i]);
}

template <class Op>
void backward(const Scalar* kept, const Scalar* gy, Index size, Scalar* __restrict to, bool accumulate) {
  write(to, size, accumulate, [=](Index i) { return Op::gradient(kept[i], gy[i]); });
}

template <class Op>
constexpr Elementwise elementwise() {
  return {.keep = Op::keep, .ns = Op::ns, .forward = forward<Op>, .backward = backward<Op>};
}

void affine(const Scalar* x, Index size, Scalar factor, Scalar offset, Scalar* __restrict y) {
  for (Index i = 0; i < size; ++i) y[i] = mul_add(factor, x[i], offset);
}

void scale(const Scalar* x, Index size, Scalar factor, Scalar* __restrict to, bool accumulate) {
  write(to, size, accumulate, [=](Index i) { return factor * x[i]; });
}

void multiply(const Scalar* a, const Scalar* b, Index size, Scalar* __restrict to, bool accumulate) {
  write(to, size, accumulate, [=](Index i) { return a[i] * b[i]; });
}

void from_bytes(const unsigned char* bytes, Index size, Scalar factor, Scalar offset, Scalar* __restrict y) {
  for (Index i = 0; i < size; ++i) y[i] = mul_add(static_cast<Scalar>(bytes[i]), factor, offset);
}

}  // namespace
}  // namespace kernels
}  // namespace HANDRAIL_SCALAR_NAMESPACE
}  // namespace handrail
