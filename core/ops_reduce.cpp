#include <algorithm>
#include <array>
#include <vector>

#include <handrail/core/elementwise.h>
#include <handrail/core/error.h>
#include <handrail/core/ops.h>
#include <handrail/core/sum.h>

namespace handrail {
inline namespace HANDRAIL_SCALAR_NAMESPACE {
namespace {

// scale * the sum over all elements, in double.
Tensor scaled_sum(const char* op, const Tensor& x, double scale) {
  const Scalar* in = x.data();
  const double total = handrail::detail::sum(0, x.size(), [in](Index i) { return static_cast<double>(in[i]); });
  return Tape::record(op, {x}, Tensor::scalar(static_cast<Scalar>(scale * total)),
                      [scale, size = x.size()](const Backward& b) {
                        b[0] += Array::Constant(size, static_cast<Scalar>(scale) * b.output_grad().item());
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
  Tensor y = Tensor::zeros(Shape(std::span<const Index>(dims.data(), rank)));
  const Scalar* in = x.data();
  Scalar* out = y.mutable_data();
  for (Index o = 0; o < outer; ++o, out += inner) {
    for (Index c = 0; c < count; ++c, in += inner)
      for (Index i = 0; i < inner; ++i) out[i] += in[i];
    for (Index i = 0; i < inner; ++i) out[i] *= scale;
  }
  return Tape::record(op, {x}, y, [outer, count, inner, scale](const Backward& b) {
    const GradTarget to = b[0].target();
    const Scalar* gy = b.output_grad().data();
    Scalar* g = to.data;
    for (Index o = 0; o < outer; ++o, gy += inner)
      for (Index c = 0; c < count; ++c, g += inner)
        for (Index i = 0; i < inner; ++i) g[i] = (to.accumulate ? g[i] : Scalar(0)) + scale * gy[i];
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
  return Tape::record("reshape", {x}, x.view(shape), [](const Backward& b) { b[0] += array(b.output_grad()); });
}

}  // namespace HANDRAIL_SCALAR_NAMESPACE
}  // namespace handrail
