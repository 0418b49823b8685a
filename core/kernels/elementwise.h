#pragma once

#include <handrail/core/kernels/exponential.h>
#include <handrail/core/kernels/table.h>

// Inside the kernels: operations on single elements and on rows.

namespace handrail {
inline namespace HANDRAIL_SCALAR_NAMESPACE {
namespace kernels {
namespace {

void relu(const Scalar* x, Index size, Scalar* __restrict y) {
  for (Index i = 0; i < size; ++i) y[i] = x[i] < 0 ? Scalar(0) : x[i];
}

void relu_backward(const Scalar* y, const Scalar* gy, Index size, Scalar* __restrict to, bool accumulate) {
  for (Index i = 0; i < size; ++i) {
    const Scalar g = gy[i];  // read always: a read under a condition would become a branch
    to[i] = (accumulate ? to[i] : Scalar(0)) + (y[i] > 0 ? g : Scalar(0));
  }
}

void exp_rows(const Scalar* x, Index rows, Index cols, Scalar* __restrict p, Scalar* __restrict sums,
              Scalar* __restrict maxima) {
  for (Index i = 0; i < rows; ++i) {
    const Scalar* row = x + i * cols;
    Scalar top = row[0];
    for (Index j = 1; j < cols; ++j) top = top < row[j] ? row[j] : top;
    maxima[i] = top;
    for (Index j = 0; j < cols; ++j) p[i * cols + j] = row[j] - top;
  }
  // One pass over all rows, so that narrow ones use whole vectors too.
  for (Index i = 0; i < rows * cols; ++i) p[i] = exponential(p[i]);
  for (Index i = 0; i < rows; ++i) {
    Scalar total = 0;
    for (Index j = 0; j < cols; ++j) total += p[i * cols + j];
    sums[i] = total;
  }
}

void cross_entropy_backward(const Scalar* p, const Scalar* sums, const Scalar* classes, Scalar scale, Index rows,
                            Index cols, Scalar* __restrict to, bool accumulate) {
  for (Index i = 0; i < rows; ++i, p += cols, to += cols) {
    const Scalar factor = scale / sums[i];
    if (accumulate)
      for (Index j = 0; j < cols; ++j) to[j] += factor * p[j];
    else
      for (Index j = 0; j < cols; ++j) to[j] = factor * p[j];
    to[static_cast<Index>(classes[i])] -= scale;
  }
}

}  // namespace
}  // namespace kernels
}  // namespace HANDRAIL_SCALAR_NAMESPACE
}  // namespace handrail
