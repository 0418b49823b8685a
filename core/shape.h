#pragma once

#include <array>
#include <initializer_list>
#include <iosfwd>
#include <span>

#include <handrail/core/scalar.h>

namespace handrail {

/// The dimensions of a tensor, at most four, row-major: the last one is contiguous.
class Shape {
 public:
  static constexpr int max_rank = 4;

  /// A scalar: rank 0, one element.
  Shape() = default;
  /// Throws ShapeError on a rank above four, a negative dimension, or a size that cannot be addressed.
  Shape(std::initializer_list<Index> dims) : Shape(std::span(dims.begin(), dims.size())) {}
  explicit Shape(std::span<const Index> dims);

  int rank() const { return rank_; }
  /// Negative axes count from the end, as in PyTorch. Throws ShapeError when there is no such axis.
  Index operator[](int axis) const { return dims_[static_cast<std::size_t>(normalize_axis(axis))]; }
  /// The number of elements.
  Index size() const { return size_; }
  /// The last dimension; 1 for a scalar.
  Index cols() const { return rank_ == 0 ? 1 : dims_[static_cast<std::size_t>(rank_ - 1)]; }
  /// All but the last dimension multiplied: the rows of the matrix [rows, cols].
  Index rows() const;
  /// `axis` counted from the front. Throws ShapeError when there is no such axis.
  int normalize_axis(int axis) const {
    if (axis >= 0 && axis < rank_) return axis;
    if (axis < 0 && axis >= -rank_) return axis + rank_;
    no_such_axis(axis);
  }
  std::span<const Index> dims() const& { return {dims_.data(), static_cast<std::size_t>(rank_)}; }
  std::span<const Index> dims() const&& = delete;  // they are gone when the loop begins: give the shape a name
  /// This shape with `first` as its first dimension: the shape of a batch from that of one sample.
  Shape with_first(Index first) const;
  /// This shape with `last` as its last dimension.
  Shape with_last(Index last) const;
  /// This shape behind a new first dimension. Throws ShapeError when that makes more than four.
  Shape batch_of(Index count) const;
  /// Without the first dimension: the shape of one sample from that of a batch.
  Shape without_first() const;

  bool operator==(const Shape&) const = default;

 private:
  [[noreturn]] void no_such_axis(int axis) const;

  std::array<Index, max_rank> dims_{};
  Index size_ = 1;
  int rank_ = 0;
};

/// Prints as [2, 3].
std::ostream& operator<<(std::ostream& out, const Shape& shape);

}  // namespace handrail
