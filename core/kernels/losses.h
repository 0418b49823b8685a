#pragma once

#include <handrail/core/kernels/elementwise_ops.h>
#include <handrail/core/kernels/gradient.h>
#include <handrail/core/kernels/sums.h>

// Inside the kernels: losses.

namespace handrail {
inline namespace HANDRAIL_SCALAR_NAMESPACE {
namespace kernels {
namespace {

void cross_entropy_backward(const Scalar* p, const Scalar* sums, const Scalar* classes, Scalar scale, Index rows,
                            Index cols, Scalar* __restrict to, bool accumulate) {
  for (Index i = 0; i < rows; ++i, p += cols, to += cols) {
    const Scalar factor = scale / sums[i];
    write(to, cols, accumulate, [=](Index j) { return factor * p[j]; });
    to[static_cast<Index>(classes[i])] -= scale;
  }
}

double binary_cross_entropy(const Scalar* x, const Scalar* targets, Index size) {
  return long_sum(size, [x, targets](Index i) { return Softplus::value(x[i]) - x[i] * targets[i]; });
}

void binary_cross_entropy_backward(const Scalar* x, const Scalar* targets, Index size, Scalar scale,
                                   Scalar* __restrict to, bool accumulate) {
  write(to, size, accumulate, [=](Index i) { return scale * (Sigmoid::value(x[i]) - targets[i]); });
}

void mse_loss_backward(const Scalar* a, const Scalar* b, Index size, Scalar scale, Scalar* __restrict to,
                       bool accumulate) {
  write(to, size, accumulate, [=](Index i) { return scale * (a[i] - b[i]); });
}

}  // namespace
}  // namespace kernels
}  // namespace HANDRAIL_SCALAR_NAMESPACE
}  // namespace handrail
