#pragma once

#include <handrail/core/kernels/sums.h>

// Inside the kernels: arithmetic of two operands that are broadcast to one shape.

namespace handrail {
inline namespace HANDRAIL_SCALAR_NAMESPACE {
namespace kernels {
namespace {

// An op is its value and its derivatives with respect to a and b.
struct Add {
  static Scalar value(Scalar a, Scalar b) { return a + b; }
  static Scalar slope_a(Scalar, Scalar) { return 1; }
  static Scalar slope_b(Scalar, Scalar) { return 1; }
};
struct Sub {
  static Scalar value(Scalar a, Scalar b) { return a - b; }
  static Scalar slope_a(Scalar, Scalar) { return 1; }
  static Scalar slope_b(Scalar, Scalar) { return -1; }
};
struct Mul {
  static Scalar value(Scalar a, Scalar b) { return a * b; }
  static Scalar slope_a(Scalar, Scalar b) { return b; }
  static Scalar slope_b(Scalar a, Scalar) { return a; }
};
struct Div {
  static Scalar value(Scalar a, Scalar b) { return a / b; }
  static Scalar slope_a(Scalar, Scalar b) { return 1 / b; }
  static Scalar slope_b(Scalar a, Scalar b) { return -a / (b * b); }
};
template <class Op, bool of_a>
inline Scalar slope(Scalar a, Scalar b) {
  if constexpr (of_a)
    return Op::slope_a(a, b);
  else
    return Op::slope_b(a, b);
}

// The steps within a row are constants, so that compilers vectorise loops over it.
template <class Op, Index step_a, Index step_b>
void broadcast_forward_rows(const Broadcast& p, const Scalar* a, const Scalar* b, Scalar* __restrict y) {
  for (Index i = 0; i < p.loops[0]; ++i)
    for (Index j = 0; j < p.loops[1]; ++j)
      for (Index k = 0; k < p.loops[2]; ++k, y += p.row) {
        const Scalar* u = a + (i * p.a.strides[0] + j * p.a.strides[1] + k * p.a.strides[2]);
        const Scalar* v = b + (i * p.b.strides[0] + j * p.b.strides[1] + k * p.b.strides[2]);
        for (Index e = 0; e < p.row; ++e) y[e] = Op::value(u[e * step_a], v[e * step_b]);
      }
}

template <class Op>
void broadcast_forward(const Broadcast& p, const Scalar* a, const Scalar* b, Scalar* y) {
  if (p.a.steps && p.b.steps)
    broadcast_forward_rows<Op, 1, 1>(p, a, b, y);
  else if (p.a.steps)
    broadcast_forward_rows<Op, 1, 0>(p, a, b, y);
  else if (p.b.steps)
    broadcast_forward_rows<Op, 0, 1>(p, a, b, y);
  else
    broadcast_forward_rows<Op, 0, 0>(p, a, b, y);
}

template <class Op, bool of_a, Index step_a, Index step_b>
void broadcast_backward_rows(const Broadcast& p, const Scalar* gy, const Scalar* a, const Scalar* b,
                             Scalar* __restrict to) {
  for (Index i = 0; i < p.loops[0]; ++i)
    for (Index j = 0; j < p.loops[1]; ++j)
      for (Index k = 0; k < p.loops[2]; ++k, gy += p.row) {
        const Index at_a = i * p.a.strides[0] + j * p.a.strides[1] + k * p.a.strides[2];
        const Index at_b = i * p.b.strides[0] + j * p.b.strides[1] + k * p.b.strides[2];
        const Scalar *u = a + at_a, *v = b + at_b;
        Scalar* into = to + (of_a ? at_a : at_b);
        if constexpr ((of_a ? step_a : step_b) == 1)
          for (Index e = 0; e < p.row; ++e) into[e] += gy[e] * slope<Op, of_a>(u[e * step_a], v[e * step_b]);
        else
          *into += row_sum(p.row, [=](Index e) { return gy[e] * slope<Op, of_a>(u[e * step_a], v[e * step_b]); });
      }
}

template <class Op, bool of_a>
void broadcast_backward(const Broadcast& p, const Scalar* gy, const Scalar* a, const Scalar* b, Scalar* to) {
  if (p.a.steps && p.b.steps)
    broadcast_backward_rows<Op, of_a, 1, 1>(p, gy, a, b, to);
  else if (p.a.steps)
    broadcast_backward_rows<Op, of_a, 1, 0>(p, gy, a, b, to);
  else if (p.b.steps)
    broadcast_backward_rows<Op, of_a, 0, 1>(p, gy, a, b, to);
  else
    broadcast_backward_rows<Op, of_a, 0, 0>(p, gy, a, b, to);
}

template <class Op>
constexpr Arithmetic arithmetic() {
  return {.forward = broadcast_forward<Op>,
          .backward_a = broadcast_backward<Op, true>,
          .backward_b = broadcast_backward<Op, false>};
}

}  // namespace
}  // namespace kernels
}  // namespace HANDRAIL_SCALAR_NAMESPACE
}  // namespace handrail
