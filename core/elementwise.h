#pragma once

#include <type_traits>

#include <handrail/core/eigen.h>
#include <handrail/core/parallel.h>

// Inside the library: elementwise passes over the fixed grid of chunks.

namespace handrail::detail {

/// Calls body(first, count) over chunks whose starts are aligned for the Eigen maps.
template <class Body>
void for_chunks(Index size, Body&& body) {
  parallel_ranges(size, elementwise_grain, [&](Index begin, Index end) { body(begin, end - begin); });
}

inline ConstArrayMap part(const Scalar* data, Index first, Index count) { return {data + first, count}; }
inline ArrayMap part(Scalar* data, Index first, Index count) { return {data + first, count}; }

/// Assigns or adds a chunk of a gradient.
template <class Expression>
void write(const GradTarget& to, Index first, Index count, const Expression& value) {
  if (to.accumulate)
    part(to.data, first, count) += value;
  else
    part(to.data, first, count) = value;
}

enum class Keep { input, output };

/// Of elements: from where, how many, to where.
using Kernel = void (*)(const Scalar*, Index, Scalar*);
/// Of what was kept and the gradient of the output: how many, to where, and whether to add.
using BackwardKernel = void (*)(const Scalar*, const Scalar*, Index, Scalar*, bool);

/// An op on each element: value(x) is its Eigen expression, slope(s) that of the derivative from the kept input or
/// output; or either is a kernel.
template <Keep keep, class Value, class Slope>
Tensor unary(const char* op, const Tensor& x, Value value, Slope slope) {
  Tensor y(x.shape());
  const Scalar* in = x.data();
  Scalar* out = y.mutable_data();
  for_chunks(x.size(), [&](Index i, Index n) {
    if constexpr (std::is_same_v<Value, Kernel>)
      value(in + i, n, out + i);
    else
      part(out, i, n) = value(part(in, i, n));
  });
  return Tape::record(op, {x}, y, [kept = Saved(keep == Keep::input ? x : y), slope](const Backward& b) {
    const Scalar* gy = b.output_grad().data();
    const Scalar* s = kept->data();
    const GradTarget to = b[0].target();
    for_chunks(kept->size(), [&](Index i, Index n) {
      if constexpr (std::is_same_v<Slope, BackwardKernel>)
        slope(s + i, gy + i, n, to.data + i, to.accumulate);
      else
        write(to, i, n, part(gy, i, n) * slope(part(s, i, n)));
    });
  });
}

}  // namespace handrail::detail
