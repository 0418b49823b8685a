#include <algorithm>
#include <array>

#include <handrail/core/error.h>
#include <handrail/core/ops/ops.h>
#include <handrail/core/system/internal/kernels.h>

// Arithmetic of two tensors with broadcasting. A plan divides the output into rows: within a row, an operand either
// advances with the output or repeats one element.

namespace handrail {
inline namespace HANDRAIL_SCALAR_NAMESPACE {
namespace {

constexpr int max_loops = Shape::max_rank - 1;
static_assert(max_loops == 3, "kernels::Broadcast must have as many loops");

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

kernels::Broadcast plan(const Shape& a, const Shape& b, const Shape& out) {
  kernels::Broadcast p;
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
    // A dimension joins the row while it is stretched in the same operands.
    if (loop == max_loops && (p.row == 1 || (steps_a == p.a.steps && steps_b == p.b.steps))) {
      p.row *= dim;
      p.a.steps = steps_a;
      p.b.steps = steps_b;
    } else {
      --loop;
      p.loops[loop] = dim;
      p.a.strides[loop] = steps_a ? stride_a : 0;
      p.b.strides[loop] = steps_b ? stride_b : 0;
    }
    if (steps_a) stride_a *= dim;
    if (steps_b) stride_b *= dim;
  }
  return p;
}

// Adds the gradient of one operand, which is summed over its stretched dimensions.
void backward(decltype(kernels::Arithmetic::backward_a) kernel, const kernels::Broadcast& p, const GradSlot& slot,
              const Tensor& gy, const Scalar* a, const Scalar* b) {
  if (!slot.needed()) return;
  const GradTarget to = slot.target();
  if (!to.accumulate) std::fill_n(to.data, slot.shape().size(), Scalar(0));
  if (gy.size() > 0) kernel(p, gy.data(), a, b, to.data);
}

Tensor forward(const kernels::Arithmetic& kernel, const kernels::Broadcast& p, const Shape& shape, const Tensor& a,
               const Tensor& b) {
  Tensor y(shape);
  if (y.size() > 0) kernel.forward(p, a.data(), b.data(), y.mutable_data());
  return y;
}

// Records add or sub. Their derivatives are constants, so they save no operand.
Tensor record_constant_slopes(const char* op, const kernels::Arithmetic& kernel, const Tensor& a, const Tensor& b) {
  const Shape shape = broadcast_shape(op, a.shape(), b.shape());
  const kernels::Broadcast p = plan(a.shape(), b.shape(), shape);
  return Tape::record(op, {a, b}, forward(kernel, p, shape, a, b), [p, &kernel](const Backward& back) {
    const Tensor& gy = back.output_grad();
    // The kernels do not use the operands, but need pointers to valid memory.
    backward(kernel.backward_a, p, back[0], gy, gy.data(), gy.data());
    backward(kernel.backward_b, p, back[1], gy, gy.data(), gy.data());
  });
}

// Records mul or div, which save both operands.
Tensor record_saving_operands(const char* op, const kernels::Arithmetic& kernel, const Tensor& a, const Tensor& b) {
  const Shape shape = broadcast_shape(op, a.shape(), b.shape());
  const kernels::Broadcast p = plan(a.shape(), b.shape(), shape);
  return Tape::record(op, {a, b}, forward(kernel, p, shape, a, b),
                      [p, &kernel, a = Saved(a), b = Saved(b)](const Backward& back) {
                        const Tensor& gy = back.output_grad();
                        backward(kernel.backward_a, p, back[0], gy, a->data(), b->data());
                        backward(kernel.backward_b, p, back[1], gy, a->data(), b->data());
                      });
}

}  // namespace

Tensor add(const Tensor& a, const Tensor& b) { return record_constant_slopes("add", kernels_here().add, a, b); }
Tensor sub(const Tensor& a, const Tensor& b) { return record_constant_slopes("sub", kernels_here().sub, a, b); }
Tensor mul(const Tensor& a, const Tensor& b) { return record_saving_operands("mul", kernels_here().mul, a, b); }
Tensor div(const Tensor& a, const Tensor& b) { return record_saving_operands("div", kernels_here().div, a, b); }

}  // namespace HANDRAIL_SCALAR_NAMESPACE
}  // namespace handrail
