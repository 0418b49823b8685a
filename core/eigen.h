#pragma once

#include <type_traits>

#include <Eigen/Core>

#include <handrail/core/error.h>
#include <handrail/core/tape.h>
#include <handrail/core/tensor.h>

namespace handrail {
inline namespace HANDRAIL_SCALAR_NAMESPACE {

using RowMajor = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Array = Eigen::Array<Scalar, Eigen::Dynamic, 1>;
using ArrayMap = Eigen::Map<Array, Eigen::Aligned64>;
using ConstArrayMap = Eigen::Map<const Array, Eigen::Aligned64>;
using MatrixMap = Eigen::Map<RowMajor, Eigen::Aligned64>;
using ConstMatrixMap = Eigen::Map<const RowMajor, Eigen::Aligned64>;

// Tensors as Eigen objects and back. The views neither copy the elements nor keep the tensor alive: keep a handle to
// the tensor as long as its view. A mutable_ view counts as a write, as Tensor::mutable_data does.

/// All elements as one Eigen array, in row-major order.
inline ConstArrayMap array(const Tensor& t) { return {t.data(), t.size()}; }
inline ArrayMap mutable_array(const Tensor& t) { return {t.mutable_data(), t.size()}; }

/// All elements as an Eigen matrix [rows, cols]: the last dimension is cols, all others multiplied are rows.
inline ConstMatrixMap matrix(const Tensor& t) { return {t.data(), t.shape().rows(), t.shape().cols()}; }
inline MatrixMap mutable_matrix(const Tensor& t) { return {t.mutable_data(), t.shape().rows(), t.shape().cols()}; }

/// A new tensor [rows, cols] with the elements of an Eigen matrix, array or expression of Scalar.
template <class Derived>
Tensor to_tensor(const Eigen::DenseBase<Derived>& matrix) {
  Tensor t({matrix.rows(), matrix.cols()});
  mutable_matrix(t) = matrix.derived().matrix();
  return t;
}

template <class Expression>
void GradSlot::operator+=(const Expression& value) const {
  if (!needed()) return;
  if constexpr (std::is_same_v<Expression, Tensor>) {
    if (value.shape() != shape()) fail<ShapeError>("want a gradient of shape ", shape(), "; got ", value.shape());
    *this += array(value);
  } else {
    // An array of one column, such as array() gives, holds the elements in their order. Any other expression must have
    // the rows and columns of the input as a matrix, as x.colwise().sum() has those of a bias.
    constexpr bool is_array = std::is_base_of_v<Eigen::ArrayBase<Expression>, Expression>;
    constexpr bool is_flat = is_array && Expression::ColsAtCompileTime == 1;
    const Index rows = is_flat ? shape().size() : shape().rows();
    const Index cols = is_flat ? 1 : shape().cols();
    if (value.rows() != rows || value.cols() != cols)
      fail<ShapeError>("want a gradient of ", rows, " x ", cols, " for an input of shape ", shape(), "; got ",
                       value.rows(), " x ", value.cols());
    const GradTarget to = target();
    std::conditional_t<is_flat, ArrayMap, MatrixMap> map(to.data, rows, cols);
    if constexpr (is_array) {
      if (to.accumulate)
        map.array() += value;
      else
        map.array() = value;
    } else {
      if (to.accumulate)
        map.noalias() += value;
      else
        map.noalias() = value;
    }
  }
}

}  // namespace HANDRAIL_SCALAR_NAMESPACE
}  // namespace handrail
