#include <handrail/core/shape.h>

#include <algorithm>
#include <limits>
#include <ostream>

#include <handrail/core/error.h>

namespace handrail {
namespace {

// Elements of any type up to 16 bytes: below it, sizes in bytes do not overflow.
constexpr Index max_size = std::numeric_limits<Index>::max() / 32;

}  // namespace

// The limit holds for the product of the dimensions that are not 0, in any order, so that no product of some of the
// dimensions overflows either: ops compute strides and numbers of rows also of a tensor without elements.
Shape::Shape(std::span<const Index> dims) {
  if (dims.size() > max_rank) fail<ShapeError>("Shape: want rank <= ", max_rank, "; got rank ", dims.size());
  Index product = 1;
  for (const Index dim : dims) {
    if (dim < 0) fail<ShapeError>("Shape: want dimensions >= 0; got ", dim);
    if (dim > 0 && product > max_size / dim)
      fail<ShapeError>("Shape: want at most ", max_size, " elements; dimension ", dim, " exceeds it");
    product *= std::max<Index>(dim, 1);
    dims_[static_cast<std::size_t>(rank_++)] = dim;
    size_ *= dim;
  }
}

Index Shape::rows() const {
  Index rows = 1;
  for (int axis = 0; axis + 1 < rank_; ++axis) rows *= dims_[static_cast<std::size_t>(axis)];
  return rows;
}

Shape Shape::with_first(Index first) const {
  if (rank_ == 0) fail<ShapeError>("Shape::with_first: a scalar has no first dimension");
  std::array<Index, max_rank> dims = dims_;
  dims[0] = first;
  return Shape(std::span<const Index>(dims.data(), static_cast<std::size_t>(rank_)));
}

Shape Shape::with_last(Index last) const {
  if (rank_ == 0) fail<ShapeError>("Shape::with_last: a scalar has no last dimension");
  std::array<Index, max_rank> dims = dims_;
  dims[static_cast<std::size_t>(rank_ - 1)] = last;
  return Shape(std::span<const Index>(dims.data(), static_cast<std::size_t>(rank_)));
}

Shape Shape::batch_of(Index count) const {
  if (rank_ == max_rank) fail<ShapeError>("Shape: no room for a batch dimension before ", *this);
  std::array<Index, max_rank> dims{count};
  std::ranges::copy(this->dims(), dims.begin() + 1);
  return Shape(std::span<const Index>(dims.data(), static_cast<std::size_t>(rank_ + 1)));
}

Shape Shape::without_first() const {
  if (rank_ == 0) fail<ShapeError>("Shape::without_first: a scalar has no first dimension");
  return Shape(dims().subspan(1));
}

void Shape::no_such_axis(int axis) const {
  fail<ShapeError>("Shape: want an axis in [", -rank_, ", ", rank_, "); got ", axis, " for shape ", *this);
}

std::ostream& operator<<(std::ostream& out, const Shape& shape) {
  out << '[';
  for (int axis = 0; axis < shape.rank(); ++axis) out << (axis == 0 ? "" : ", ") << shape[axis];
  return out << ']';
}

}  // namespace handrail
