#pragma once

#include <handrail/core/kernels/sums.h>

// Inside the kernels: arithmetic of two operands that are stretched to one shape.

namespace handrail {
inline namespace HANDRAIL_SCALAR_NAMESPACE {
namespace kernels {
namespace {

// The steps within a row are constants, so that loops over it become vectors.
template <Scalar f(Scalar, Scalar), Index step_a, Index step_b>
void forward_rows(const Broadcast& p, const Scalar* a, const Scalar* b, Scalar* __restrict y) {
  for (Index i = 0; i < p.loops[0]; ++i)
    for (Index j = 0; j < p.loops[1]; ++j)
      for (Index k = 0; k < p.loops[2]; ++k, y += p.row) {
        const Scalar* u = a + (i * p.a.strides[0] + j * p.a.strides[1] + k * p.a.strides[2]);
        const Scalar* v = b + (i * p.b.strides[0] + j * p.b.strides[1] + k * p.b.strides[2]);
        for (Index e = 0; e < p.row; ++e) y[e] = f(u[e * step_a], v[e * step_b]);
      }
}

template <Scalar f(Scalar, Scalar)>
void forward(const Broadcast& p, const Scalar* a, const Scalar* b, Scalar* y) {
  if (p.a.steps && p.b.steps)
    forward_rows<f, 1, 1>(p, a, b, y);
  else if (p.a.steps)
    forward_rows<f, 1, 0>(p, a, b, y);
  else if (p.b.steps)
    forward_rows<f, 0, 1>(p, a, b, y);
  else
    forward_rows<f, 0, 0>(p, a, b, y);
}

template <bool of_a, Scalar slope(Scalar, Scalar), Index step_a, Index step_b>
void backward_rows(const Broadcast& p, const Scalar* gy, const Scalar* a, const Scalar* b, Scalar* __restrict to) {
  for (Index i = 0; i < p.loops[0]; ++i)
    for (Index j = 0; j < p.loops[1]; ++j)
      for (Index k = 0; k < p.loops[2]; ++k, gy += p.row) {
        const Index at_a = i * p.a.strides[0] + j * p.a.strides[1] + k * p.a.strides[2];
        const Index at_b = i * p.b.strides[0] + j * p.b.strides[1] + k * p.b.strides[2];
        const Scalar *u = a + at_a, *v = b + at_b;
        Scalar* into = to + (of_a ? at_a : at_b);
        if constexpr ((of_a ? step_a : step_b) == 1)
          for (Index e = 0; e < p.row; ++e) into[e] += gy[e] * slope(u[e * step_a], v[e * step_b]);
        else
          *into += row_sum(p.row, [=](Index e) { return gy[e] * slope(u[e * step_a], v[e * step_b]); });
      }
}

template <bool of_a, Scalar slope(Scalar, Scalar)>
void backward(const Broadcast& p, const Scalar* gy, const Scalar* a, const Scalar* b, Scalar* to) {
  if (p.a.steps && p.b.steps)
    backward_rows<of_a, slope, 1, 1>(p, gy, a, b, to);
  else if (p.a.steps)
    backward_rows<of_a, slope, 1, 0>(p, gy, a, b, to);
  else if (p.b.steps)
    backward_rows<of_a, slope, 0, 1>(p, gy, a, b, to);
  else
    backward_rows<of_a, slope, 0, 0>(p, gy, a, b, to);
}

inline Scalar sum_of(Scalar u, Scalar v) { return u + v; }
inline Scalar difference_of(Scalar u, Scalar v) { return u - v; }
inline Scalar product_of(Scalar u, Scalar v) { return u * v; }
inline Scalar quotient_of(Scalar u, Scalar v) { return u / v; }

// Slopes.
inline Scalar one(Scalar, Scalar) { return 1; }
inline Scalar minus_one(Scalar, Scalar) { return -1; }
inline Scalar left(Scalar u, Scalar) { return u; }
inline Scalar right(Scalar, Scalar v) { return v; }
inline Scalar quotient_slope_a(Scalar, Scalar v) { return 1 / v; }
inline Scalar quotient_slope_b(Scalar u, Scalar v) { return -u / (v * v); }

}  // namespace
}  // namespace kernels
}  // namespace HANDRAIL_SCALAR_NAMESPACE
}  // namespace handrail
