#include <algorithm>
#include <array>
#include <vector>

#include <handrail/core/error.h>
#include <handrail/core/ops/ops.h>
#include <handrail/core/system/internal/kernels.h>

namespace handrail {
inline namespace HANDRAIL_SCALAR_NAMESPACE {
namespace {

// scale * the sum of all elements, computed in double.
Tensor scaled_sum(const char* op, const Tensor& x, double scale) {
  const double total = kernels_here().sum(x.data(), x.size());
  return Tape::record(op, {x}, Tensor::scalar(static_cast<Scalar>(scale * total)),
                      [scale, size = x.size()](const Backward& b) {
                        const GradTarget to = b[0].target();
                        kernels_here().sum_axis_backward(b.output_grad().data(), 1, size, 1, static_cast<Scalar>(scale),
                                                         to.data, to.accumulate);
                      });
}

// scale * the sum over one axis.
Tensor scaled_sum(const char* op, const Tensor& x, int axis, bool keepdim, bool mean) {
  const Shape& shape = x.shape();
  axis = shape.normalize_axis(axis);
  std::array<Index, Shape::max_rank> dims{};
  std::size_t rank = 0;
  Index outer = 1, inner = 1;
  for (int i = 0; i < shape.rank(); ++i) {
    if (i < axis) outer *= shape[i];
    if (i > axis) inner *= shape[i];
    if (i != axis || keepdim) dims[rank++] = i == axis ? 1 : shape[i];
  }
  const Index count = shape[axis];
  const auto scale = mean ? 1 / static_cast<Scalar>(count) : Scalar(1);
  const Tensor y(Shape(std::span<const Index>(dims.data(), rank)));
  kernels_here().sum_axis(x.data(), outer, count, inner, scale, y.mutable_data());
  return Tape::record(op, {x}, y, [outer, count, inner, scale](const Backward& b) {
    const GradTarget to = b[0].target();
    kernels_here().sum_axis_backward(b.output_grad().data(), outer, count, inner, scale, to.data, to.accumulate);
  });
}

}  // namespace

Tensor sum(const Tensor& x) { return scaled_sum("sum", x, 1); }

Tensor mean(const Tensor& x) {
  if (x.size() == 0) fail<ShapeError>("mean: want at least one element; got shape ", x.shape());
  return scaled_sum("mean", x, 1.0 / static_cast<double>(x.size()));
}

Tensor sum(const Tensor& x, int axis, bool keepdim) { return scaled_sum("sum", x, axis, keepdim, false); }

Tensor mean(const Tensor& x, int axis, bool keepdim) {
  if (x.shape()[axis] == 0) fail<ShapeError>("mean: want at least one element on the axis; got shape ", x.shape());
  return scaled_sum("mean", x, axis, keepdim, true);
}

Tensor reshape(const Tensor& x, const Shape& shape) {
  if (shape.size() != x.size())
    fail<ShapeError>("reshape: want ", x.size(), " elements as in ", x.shape(), "; got shape ", shape);
  return Tape::record("reshape", {x}, x.view(shape), [size = x.size()](const Backward& b) {
    const GradTarget to = b[0].target();
    kernels_here().scale(b.output_grad().data(), size, 1, to.data, to.accumulate);
  });
}

}  // namespace HANDRAIL_SCALAR_NAMESPACE
}  // namespace handrail
