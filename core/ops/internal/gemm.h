#pragma once

#include <string>

#include <handrail/core/tensor.h>

namespace handrail {
inline namespace HANDRAIL_SCALAR_NAMESPACE {

/// A matrix in memory: element (i, j) is data[i * row_stride + j * col_stride].
struct MatrixView {
  const Scalar* data;
  Index row_stride;
  Index col_stride;

  MatrixView transposed() const { return {data, col_stride, row_stride}; }
};

/// Row-major [.., cols].
inline MatrixView row_major(const Scalar* data, Index cols) { return {data, cols, 1}; }

/// What the product is added to: C itself, a row, or zero.
struct GemmStart {
  bool accumulate = false;      // start from what C holds now
  const Scalar* row = nullptr;  // start every row of C from this row [n], such as a bias
};

/// C = start + A B with A [m, k], B [k, n] and C [m, n] row-major with rows ldc apart.
/// One of the strides of B must be 1. C must not overlap A or B.
///
/// Every element of C is one chain of multiply-adds over k in ascending order, whatever the blocking. They are fused
/// where the processor can. The bits therefore depend neither on the number of threads nor on how m and n are split
/// among them.
void gemm(Index m, Index n, Index k, MatrixView a, MatrixView b, Scalar* c, Index ldc, GemmStart start = {});

/// The instruction set of the kernels on this processor and the size of their tiles, as text.
std::string gemm_description();

}  // namespace HANDRAIL_SCALAR_NAMESPACE
}  // namespace handrail
