#pragma once

#include <handrail/core/kernels/table.h>

// Inside the kernels: how gradients are written.

namespace handrail {
inline namespace HANDRAIL_SCALAR_NAMESPACE {
namespace kernels {
namespace {

// to[i] = value(i), or added to what is there.
template <class Value>
inline void write(Scalar* __restrict to, Index size, bool accumulate, Value value) {
  // Two loops: compilers do not vectorise a single one.
  if (accumulate)
    for (Index i = 0; i < size; ++i) to[i] += value(i);
  else
    for (Index i = 0; i < size; ++i) to[i] = value(i);
}

}  // namespace
}  // namespace kernels
}  // namespace HANDRAIL_SCALAR_NAMESPACE
}  // namespace handrail
