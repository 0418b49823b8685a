#pragma once

#include <handrail/core/kernels/functions.h>
#include <handrail/core/kernels/gradient.h>
#include <handrail/core/kernels/sums.h>

// Inside the kernels: softmax, log_softmax and what cross entropy shares with them.

namespace handrail {
inline namespace HANDRAIL_SCALAR_NAMESPACE {
namespace kernels {
namespace {

inline Scalar row_maximum(const Scalar* row, Index size) {
  Scalar top = row[0];
  Index i = 1;
  if (size >= side_by_side) {
    Scalar tops[side_by_side];
    for (Index j = 0; j < side_by_side; ++j) tops[j] = row[j];
    for (i = side_by_side; i + side_by_side <= size; i += side_by_side)
      for (Index j = 0; j < side_by_side; ++j) tops[j] = tops[j] < row[i + j] ? row[i + j] : tops[j];
    for (Index j = 0; j < side_by_side; ++j) top = top < tops[j] ? tops[j] : top;
  }
  for (; i < size; ++i) top = top < row[i] ? row[i] : top;
  return top;
}

void exp_rows(const Scalar* x, Index rows, Index cols, Scalar* __restrict p, Scalar* __restrict sums,
              Scalar* __restrict maxima) {
  for (Index i = 0; i < rows; ++i) {
    const Scalar* row = x + i * cols;
    const Scalar top = row_maximum(row, cols);
    maxima[i] = top;
    for (Index j = 0; j < cols; ++j) p[i * cols + j] = row[j] - top;
  }
  // One pass over all rows, so that whole vectors are used when rows are short.
  for (Index i = 0; i < rows * cols; ++i) p[i] = exp(p[i]);
  for (Index i = 0; i < rows; ++i) {
    const Scalar* row = p + i * cols;
    sums[i] = row_sum(cols, [row](Index j) { return row[j]; });
  }
}

void divide_rows(const Scalar* sums, Index rows, Index cols, Scalar* __restrict p) {
  for (Index i = 0; i < rows; ++i, p += cols) {
    const Scalar factor = 1 / sums[i];
    for (Index j = 0; j < cols; ++j) p[j] *= factor;
  }
}

void softmax_backward(const Scalar* p, const Scalar* gy, Index rows, Index cols, Scalar* __restrict to,
                      bool accumulate) {
  for (Index i = 0; i < rows; ++i, p += cols, gy += cols, to += cols) {
    const Scalar along = row_sum(cols, [p, gy](Index j) { return p[j] * gy[j]; });
    write(to, cols, accumulate, [=](Index j) { return p[j] * (gy[j] - along); });
  }
}

void log_softmax(const Scalar* x, const Scalar* maxima, const Scalar* sums, Index rows, Index cols,
                 Scalar* __restrict y) {
  for (Index i = 0; i < rows; ++i, x += cols, y += cols) {
    // The maximum is subtracted first: in the sum of a large maximum and the logarithm, the logarithm would be lost.
    const Scalar top = maxima[i], log_sum = log(sums[i]);
    for (Index j = 0; j < cols; ++j) y[j] = x[j] - top - log_sum;
  }
}

void log_softmax_backward(const Scalar* p, const Scalar* gy, Index rows, Index cols, Scalar* __restrict to,
                          bool accumulate) {
  for (Index i = 0; i < rows; ++i, p += cols, gy += cols, to += cols) {
    const Scalar total = row_sum(cols, [gy](Index j) { return gy[j]; });
    write(to, cols, accumulate, [=](Index j) { return gy[j] - p[j] * total; });
  }
}

}  // namespace
}  // namespace kernels
}  // namespace HANDRAIL_SCALAR_NAMESPACE
}  // namespace handrail
