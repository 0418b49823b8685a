#pragma once

#include <handrail/core/eigen.h>
#include <handrail/core/tape.h>

/// x^3, an op of the project's own.
inline handrail::Tensor cube(const handrail::Tensor& x) {
  using namespace handrail;
  Tensor y(x.shape());
  mutable_array(y) = array(x).cube();
  return Tape::record("cube", {x}, y,
                      [x = Saved(x)](const Backward& b) { b[0] += array(b.output_grad()) * 3 * array(*x).square(); });
}
