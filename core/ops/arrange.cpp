#include <algorithm>
#include <array>
#include <initializer_list>
#include <span>

#include <handrail/core/eigen.h>
#include <handrail/core/error.h>
#include <handrail/core/ops/ops.h>

// Ops that put elements in other places.

namespace handrail {
inline namespace HANDRAIL_SCALAR_NAMESPACE {

Tensor transpose(const Tensor& x) {
  if (x.shape().rank() != 2) fail<ShapeError>("transpose: want x [N, M]; got shape ", x.shape());
  const Tensor y({x.shape()[1], x.shape()[0]});
  mutable_matrix(y) = matrix(x).transpose();
  return Tape::record("transpose", {x}, y, [](const Backward& b) { b[0] += matrix(b.output_grad()).transpose(); });
}

namespace {

// The matrix [outer, inner] of a tensor: the dimensions before the axis, and those from the axis on.
struct Split {
  Split(const Shape& shape, int axis) {
    for (int i = 0; i < shape.rank(); ++i) (i < axis ? outer : inner) *= shape[i];
  }
  Index outer = 1, inner = 1;
};

// Whether the shapes differ along the axis at most.
bool fit(const Shape& a, const Shape& b, int axis) {
  if (a.rank() != b.rank()) return false;
  for (int i = 0; i < a.rank(); ++i)
    if (i != axis && a[i] != b[i]) return false;
  return true;
}

Tensor cat_two(const Tensor& a, const Tensor& b, int axis) {
  const Split in_a(a.shape(), axis), in_b(b.shape(), axis);
  std::array<Index, Shape::max_rank> dims{};
  std::ranges::copy(a.shape().dims(), dims.begin());
  dims[static_cast<std::size_t>(axis)] += b.shape()[axis];
  const Tensor y(Shape(std::span<const Index>(dims.data(), a.shape().dims().size())));
  MatrixMap out(y.mutable_data(), in_a.outer, in_a.inner + in_b.inner);
  out.leftCols(in_a.inner) = ConstMatrixMap(a.data(), in_a.outer, in_a.inner);
  out.rightCols(in_b.inner) = ConstMatrixMap(b.data(), in_b.outer, in_b.inner);
  return Tape::record("cat", {a, b}, y, [in_a, in_b](const Backward& back) {
    const ConstMatrixMap gy(back.output_grad().data(), in_a.outer, in_a.inner + in_b.inner);
    const auto add = [](const GradSlot& slot, const auto& part) {
      if (!slot.needed()) return;
      const GradTarget to = slot.target();
      MatrixMap gradient(to.data, part.rows(), part.cols());
      if (to.accumulate)
        gradient += part;
      else
        gradient = part;
    };
    add(back[0], gy.leftCols(in_a.inner));
    add(back[1], gy.rightCols(in_b.inner));
  });
}

// Joins the joined halves: an op of two inputs makes no heap call, and each element is copied log2(tensors) times.
Tensor cat_halves(std::span<const Tensor> tensors, int axis) {
  if (tensors.size() == 1) return tensors[0];
  const std::size_t half = tensors.size() / 2;
  return cat_two(cat_halves(tensors.first(half), axis), cat_halves(tensors.subspan(half), axis), axis);
}

}  // namespace

Tensor cat(std::span<const Tensor> tensors, int axis) {
  if (tensors.empty()) fail<ShapeError>("cat: want at least one tensor; got none");
  const Shape& first = tensors[0].shape();
  axis = first.normalize_axis(axis);
  for (const Tensor& tensor : tensors)
    if (!fit(first, tensor.shape(), axis))
      fail<ShapeError>("cat: want shapes that are equal but for axis ", axis, "; got ", first, " and ", tensor.shape());
  return cat_halves(tensors, axis);
}

Tensor cat(std::initializer_list<Tensor> tensors, int axis) {
  return cat(std::span(tensors.begin(), tensors.size()), axis);
}

}  // namespace HANDRAIL_SCALAR_NAMESPACE
}  // namespace handrail
