#pragma once

#include <array>
#include <initializer_list>
#include <iosfwd>
#include <span>

#include <handrail/core/scalar.h>

namespace handrail {

/// The dimensions of a tensor, at most four. Tensors are row-major: elements along the last dimension are adjacent.
class Shape {
 public:
  static constexpr int max_rank = 4;  // the largest number of dimensions

  /// A scalar: rank 0, one element.
  Shape() = default;
  /// Throws ShapeError on more than four dimensions, a negative dimension, or more elements than can be addressed:
  /// dimensions of 0 are left out of that count.
  Shape(std::initializer_list<Index> dims) : Shape(std::span(dims.begin(), dims.size())) {}
  explicit Shape(std::span<const Index> dims);

  /// The number of dimensions.
  int rank() const { return rank_; }
  /// The dimension of an axis. Negative axes count from the end, as in PyTorch. Throws ShapeError when there is no such
  /// axis.
  Index operator[](int axis) const { return dims_[static_cast<std::size_t>(normalize_axis(axis))]; }
  /// The number of elements.
  Index size() const { return size_; }
  /// The last dimension; 1 for a scalar.
  Index cols() const { return rank_ == 0 ? 1 : dims_[static_cast<std::size_t>(rank_ - 1)]; }
  /// All but the last dimension multiplied: the rows of the matrix [rows, cols].
  Index rows() const;
  /// The axis counted from the front: -1 becomes rank() - 1. Throws ShapeError when there is no such axis.
  int normalize_axis(int axis) const {
    if (axis >= 0 && axis < rank_) return axis;
    if (axis < 0 && axis >= -rank_) return axis + rank_;
    no_such_axis(axis);
  }
  /// All dimensions, the first one first. The span is valid while the shape lives and is not assigned to.
  std::span<const Index> dims() const& { return {dims_.data(), static_cast<std::size_t>(rank_)}; }
  std::span<const Index> dims() const&& = delete;  // would outlive the temporary shape: give the shape a name
  /// This shape with its first dimension replaced: the shape of a batch of another size. Throws ShapeError on a scalar.
  Shape with_first(Index first) const;
  /// This shape with its last dimension replaced. Throws ShapeError on a scalar.
  Shape with_last(Index last) const;
  /// This shape with a new first dimension before the others: the shape of a batch of `count` samples of this shape.
  /// Throws ShapeError when that makes more than four dimensions.
  Shape batch_of(Index count) const;
  /// This shape without its first dimension: the shape of one sample of a batch. Throws ShapeError on a scalar.
  Shape without_first() const;

  bool operator==(const Shape&) const = default;

 private:
  [[noreturn]] void no_such_axis(int axis) const;

  std::array<Index, max_rank> dims_{};
  Index size_ = 1;
  int rank_ = 0;
};

/// Prints the shape as [2, 3].
std::ostream& operator<<(std::ostream& out, const Shape& shape);

}  // namespace handrail
