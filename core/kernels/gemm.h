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

/// What C holds before the product is added to it.
struct GemmStart {
  bool accumulate = false;      // what C holds now
  const Scalar* row = nullptr;  // this row [n] in every row, such as a bias; else zero
};

/// C = start + A B with A [m, k], B [k, n] and C [m, n] row-major with rows ldc apart.
/// One of the strides of B must be 1. C must not overlap A or B.
///
/// Every element of C is one chain of multiply-adds over k in ascending order, fused where the processor
/// can, whatever the blocking: the bits depend neither on the number of threads nor on how m and n are split up, and so
/// the work may be shared out by the number of threads.
void gemm(Index m, Index n, Index k, MatrixView a, MatrixView b, Scalar* c, Index ldc, GemmStart start = {});

/// The instruction set that was chosen for this processor, and its tiles.
std::string gemm_description();

}  // namespace HANDRAIL_SCALAR_NAMESPACE
}  // namespace handrail
