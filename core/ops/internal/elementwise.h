#pragma once

#include <algorithm>

#include <handrail/core/kernels/kernels.h>
#include <handrail/core/system/parallel.h>
#include <handrail/core/tape.h>

// Inside the library: passes over fixed grids of chunks.

namespace handrail::detail {

/// Calls body(first, count) over chunks of elements.
template <class Body>
void for_chunks(Index size, Body&& body) {
  parallel_ranges(size, elementwise_grain, [&](Index begin, Index end) { body(begin, end - begin); });
}

/// Calls body(first, count) over chunks of rows.
template <class Body>
void for_row_chunks(Index rows, Index cols, Body&& body) {
  const Index grain = std::max<Index>(1, elementwise_grain / std::max<Index>(1, cols));
  parallel_ranges(rows, grain, [&](Index begin, Index end) { body(begin, end - begin); });
}

enum class Keep { input, output };

/// Records an op on each element, which keeps its input or its output for the backward pass.
inline Tensor elementwise(const char* op, const Tensor& x, Keep keep, const kernels::Elementwise& kernel) {
  Tensor y(x.shape());
  const Scalar* in = x.data();
  Scalar* out = y.mutable_data();
  for_chunks(x.size(), [&](Index i, Index n) { kernel.forward(in + i, n, out + i); });
  return Tape::record(op, {x}, y, [kept = Saved(keep == Keep::input ? x : y), &kernel](const Backward& b) {
    const Scalar *s = kept->data(), *gy = b.output_grad().data();
    const GradTarget to = b[0].target();
    for_chunks(kept->size(), [&](Index i, Index n) { kernel.backward(s + i, gy + i, n, to.data + i, to.accumulate); });
  });
}

}  // namespace handrail::detail
