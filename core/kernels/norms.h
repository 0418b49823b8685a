#pragma once

#include <handrail/core/kernels/functions.h>
#include <handrail/core/kernels/gradient.h>
#include <handrail/core/kernels/sums.h>

// Inside the kernels: normalisation of rows and of columns.

namespace handrail {
inline namespace HANDRAIL_SCALAR_NAMESPACE {
namespace kernels {
namespace {

void layer_norm(const Scalar* x, const Scalar* gain, const Scalar* shift, Scalar eps, Index rows, Index cols,
                Scalar* __restrict normed, Scalar* __restrict inverse, Scalar* __restrict y) {
  const auto count = static_cast<Scalar>(cols);
  for (Index i = 0; i < rows; ++i, x += cols, normed += cols, y += cols) {
    const Scalar mean = row_sum(cols, [x](Index j) { return x[j]; }) / count;
    const Scalar squares = row_sum(cols, [x, mean](Index j) { return (x[j] - mean) * (x[j] - mean); });
    const Scalar inv = 1 / sqrt(squares / count + eps);
    inverse[i] = inv;
    for (Index j = 0; j < cols; ++j) {
      const Scalar n = (x[j] - mean) * inv;
      normed[j] = n;
      y[j] = mul_add(gain[j], n, shift[j]);
    }
  }
}

// dx = (g - mean(g) - normed * mean(g * normed)) / sd over each row, g = gy * gain
void layer_norm_backward(const Scalar* normed, const Scalar* inverse, const Scalar* gain, const Scalar* gy, Index rows,
                         Index cols, Scalar* __restrict to, bool accumulate) {
  const auto count = static_cast<Scalar>(cols);
  for (Index i = 0; i < rows; ++i, normed += cols, gy += cols, to += cols) {
    const Scalar middle = row_sum(cols, [gy, gain](Index j) { return gy[j] * gain[j]; }) / count;
    const Scalar along = row_sum(cols, [gy, gain, normed](Index j) { return gy[j] * gain[j] * normed[j]; }) / count;
    const Scalar inv = inverse[i];
    write(to, cols, accumulate, [=](Index j) { return (gy[j] * gain[j] - middle - normed[j] * along) * inv; });
  }
}

void column_moments(const Scalar* x, Index rows, Index cols, Scalar* __restrict mean, Scalar* __restrict variance) {
  const auto count = static_cast<Scalar>(rows);
  for (Index j = 0; j < cols; ++j) mean[j] = variance[j] = 0;
  add_column_sums(x, rows, cols, mean);
  for (Index j = 0; j < cols; ++j) mean[j] /= count;
  const Scalar* middle = mean;
  const auto square = [=](Index i, Index j) {
    const Scalar d = x[i * cols + j] - middle[j];
    return d * d;
  };
  add_column_terms(rows, cols, square, variance);
  for (Index j = 0; j < cols; ++j) variance[j] /= count;
}

void batch_norm(const Scalar* x, const Scalar* mean, const Scalar* inverse, const Scalar* gain, const Scalar* shift,
                Index rows, Index cols, Scalar* __restrict normed, Scalar* __restrict y) {
  for (Index i = 0; i < rows; ++i, x += cols, normed += cols, y += cols)
    for (Index j = 0; j < cols; ++j) {
      const Scalar n = (x[j] - mean[j]) * inverse[j];
      normed[j] = n;
      y[j] = mul_add(gain[j], n, shift[j]);
    }
}

// dx = factor (gy - mean_gy - normed * mean_along) over each column
void batch_norm_backward(const Scalar* normed, const Scalar* factor, const Scalar* mean_gy, const Scalar* mean_along,
                         const Scalar* gy, Index rows, Index cols, Scalar* __restrict to, bool accumulate) {
  for (Index i = 0; i < rows; ++i, normed += cols, gy += cols, to += cols)
    write(to, cols, accumulate, [=](Index j) { return factor[j] * (gy[j] - mean_gy[j] - normed[j] * mean_along[j]); });
}

}  // namespace
}  // namespace kernels
}  // namespace HANDRAIL_SCALAR_NAMESPACE
}  // namespace handrail
