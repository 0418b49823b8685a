#include <algorithm>
#include <array>

#include <handrail/core/elementwise.h>
#include <handrail/core/error.h>
#include <handrail/core/ops.h>

// Arithmetic of two tensors with broadcasting. A plan turns both into rows: within a row an operand
// either advances with the output or stands still.

namespace handrail {
inline namespace HANDRAIL_SCALAR_NAMESPACE {
namespace {

constexpr int max_loops = Shape::max_rank - 1;

struct Operand {
  bool steps = true;                       // within a row
  std::array<Index, max_loops> strides{};  // of the loops around it, 0 where the operand is stretched
};

struct Plan {
  Index row = 1;                                // elements in a row
  std::array<Index, max_loops> loops{1, 1, 1};  // around a row, outermost first
  Operand a, b;
};

Shape broadcast_shape(const char* op, const Shape& a, const Shape& b) {
  if (a == b) return a;
  std::array<Index, Shape::max_rank> dims{};
  const int rank = std::max(a.rank(), b.rank());
  for (int axis = -1; axis >= -rank; --axis) {
    const Index da = -axis <= a.rank() ? a[axis] : 1, db = -axis <= b.rank() ? b[axis] : 1;
    if (da != db && da != 1 && db != 1)
      fail<ShapeError>(op, ": want shapes that broadcast (equal, or 1, from the last dimension on); got ", a, " and ",
                       b);
    dims[static_cast<std::size_t>(Index{rank} + axis)] = da == 1 ? db : da;
  }
  return Shape(std::span<const Index>(dims.data(), static_cast<std::size_t>(rank)));
}

Plan plan(const Shape& a, const Shape& b, const Shape& out) {
  Plan p;
  if (a == b) {
    p.row = out.size();
    return p;
  }
  Index stride_a = 1, stride_b = 1;
  int loop = max_loops;
  for (int axis = -1; axis >= -out.rank(); --axis) {
    const Index dim = out[axis];
    if (dim == 1) continue;
    const bool steps_a = -axis <= a.rank() && a[axis] == dim, steps_b = -axis <= b.rank() && b[axis] == dim;
    // A dimension joins the row while both operands go on as before.
    if (loop == max_loops && (p.row == 1 || (steps_a == p.a.steps && steps_b == p.b.steps))) {
      p.row *= dim;
      p.a.steps = steps_a;
      p.b.steps = steps_b;
    } else {
      const auto at = static_cast<std::size_t>(--loop);
      p.loops[at] = dim;
      p.a.strides[at] = steps_a ? stride_a : 0;
      p.b.strides[at] = steps_b ? stride_b : 0;
    }
    if (steps_a) stride_a *= dim;
    if (steps_b) stride_b *= dim;
  }
  return p;
}

// Calls body(output offset, a offset, b offset) for every row in order.
template <class Body>
void for_rows(const Plan& p, Body&& body) {
  Index out = 0;
  for (Index i = 0; i < p.loops[0]; ++i)
    for (Index j = 0; j < p.loops[1]; ++j)
      for (Index k = 0; k < p.loops[2]; ++k, out += p.row)
        body(out, i * p.a.strides[0] + j * p.a.strides[1] + k * p.a.strides[2],
             i * p.b.strides[0] + j * p.b.strides[1] + k * p.b.strides[2]);
}

// Calls loop(step of a, step of b) with the steps as constants, so that the loop vectorises.
template <class Loop>
void with_steps(const Plan& p, Loop&& loop) {
  using One = std::integral_constant<Index, 1>;
  using Zero = std::integral_constant<Index, 0>;
  if (p.a.steps && p.b.steps)
    loop(One{}, One{});
  else if (p.a.steps)
    loop(One{}, Zero{});
  else if (p.b.steps)
    loop(Zero{}, One{});
  else
    loop(Zero{}, Zero{});
}

template <class Function>
Tensor forward(const Plan& p, const Shape& shape, const Tensor& a, const Tensor& b, Function f) {
  Tensor y(shape);
  Scalar* out = y.mutable_data();
  const Scalar *pa = a.data(), *pb = b.data();
  if (y.size() == 0) return y;
  with_steps(p, [&](auto sa, auto sb) {
    for_rows(p, [&](Index o, Index oa, Index ob) {
      for (Index i = 0; i < p.row; ++i) out[o + i] = f(pa[oa + i * sa], pb[ob + i * sb]);
    });
  });
  return y;
}

// Adds gy * slope(a, b) to the gradient of one operand, summed over what was stretched. `saved`
// pointers may be null when the slope does not look at them.
template <bool of_a, class Slope>
void backward(const Plan& p, const GradSlot& slot, const Tensor& gy, const Scalar* pa, const Scalar* pb, Slope slope) {
  if (!slot.needed()) return;
  const GradTarget to = slot.target();
  if (!to.accumulate) std::fill_n(to.data, slot.shape().size(), Scalar(0));
  const Scalar* g = gy.data();
  if (gy.size() == 0) return;
  with_steps(p, [&](auto sa, auto sb) {
    for_rows(p, [&](Index o, Index oa, Index ob) {
      Scalar* into = to.data + (of_a ? oa : ob);
      constexpr Index step = of_a ? decltype(sa)::value : decltype(sb)::value;
      if constexpr (step == 1) {
        for (Index i = 0; i < p.row; ++i) into[i] += g[o + i] * slope(pa, oa + i * sa, pb, ob + i * sb);
      } else {
        Scalar total = 0;
        for (Index i = 0; i < p.row; ++i) total += g[o + i] * slope(pa, oa + i * sa, pb, ob + i * sb);
        *into += total;
      }
    });
  });
}

// Slopes that are constants do not look at the operands.
template <int value>
constexpr auto constant = [](const Scalar*, Index, const Scalar*, Index) { return Scalar(value); };

template <int slope_b>
Tensor sum_of(const char* op, const Tensor& a, const Tensor& b) {
  const Shape shape = broadcast_shape(op, a.shape(), b.shape());
  const Plan p = plan(a.shape(), b.shape(), shape);
  const Tensor y = forward(p, shape, a, b, [](Scalar u, Scalar v) { return u + slope_b * v; });
  return Tape::record(op, {a, b}, y, [p](const Backward& back) {
    backward<true>(p, back[0], back.output_grad(), nullptr, nullptr, constant<1>);
    backward<false>(p, back[1], back.output_grad(), nullptr, nullptr, constant<slope_b>);
  });
}

}  // namespace

Tensor add(const Tensor& a, const Tensor& b) { return sum_of<1>("add", a, b); }
Tensor sub(const Tensor& a, const Tensor& b) { return sum_of<-1>("sub", a, b); }

Tensor mul(const Tensor& a, const Tensor& b) {
  const Shape shape = broadcast_shape("mul", a.shape(), b.shape());
  const Plan p = plan(a.shape(), b.shape(), shape);
  const Tensor y = forward(p, shape, a, b, [](Scalar u, Scalar v) { return u * v; });
  return Tape::record("mul", {a, b}, y, [p, a = Saved(a), b = Saved(b)](const Backward& back) {
    const Scalar *pa = a->data(), *pb = b->data();
    const Tensor& gy = back.output_grad();
    backward<true>(p, back[0], gy, pa, pb, [](const Scalar*, Index, const Scalar* v, Index j) { return v[j]; });
    backward<false>(p, back[1], gy, pa, pb, [](const Scalar* u, Index i, const Scalar*, Index) { return u[i]; });
  });
}

Tensor div(const Tensor& a, const Tensor& b) {
  const Shape shape = broadcast_shape("div", a.shape(), b.shape());
  const Plan p = plan(a.shape(), b.shape(), shape);
  const Tensor y = forward(p, shape, a, b, [](Scalar u, Scalar v) { return u / v; });
  return Tape::record("div", {a, b}, y, [p, a = Saved(a), b = Saved(b)](const Backward& back) {
    const Scalar *pa = a->data(), *pb = b->data();
    const Tensor& gy = back.output_grad();
    backward<true>(p, back[0], gy, pa, pb, [](const Scalar*, Index, const Scalar* v, Index j) { return 1 / v[j]; });
    backward<false>(p, back[1], gy, pa, pb,
                    [](const Scalar* u, Index i, const Scalar* v, Index j) { return -u[i] / (v[j] * v[j]); });
  });
}

}  // namespace HANDRAIL_SCALAR_NAMESPACE
}  // namespace handrail
