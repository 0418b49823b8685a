#pragma once

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

/// All elements as an Eigen column of coefficients.
inline ConstArrayMap array(const Tensor& t) { return {t.data(), t.size()}; }
inline ArrayMap mutable_array(const Tensor& t) { return {t.mutable_data(), t.size()}; }

/// The elements as a matrix [rows, cols]: the last dimension is cols, all others together are rows.
inline ConstMatrixMap matrix(const Tensor& t) { return {t.data(), t.shape().rows(), t.shape().cols()}; }
inline MatrixMap mutable_matrix(const Tensor& t) {
  return {t.mutable_data(), t.shape().rows(), t.shape().cols()};
}

/// A tensor [rows, cols] with a copy of the matrix.
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
    *this += array(value);
  } else {
    constexpr bool is_array = std::is_base_of_v<Eigen::ArrayBase<Expression>, Expression>;
    const Index rows = is_array ? shape().size() : shape().rows();
    const Index cols = is_array ? 1 : shape().cols();
    // A row for a vector is welcome: x.colwise().sum() is the gradient of a bias.
    if (value.rows() * value.cols() != shape().size() || (!is_array && value.cols() != cols && value.rows() != 1))
      fail<ShapeError>("want a gradient of ", rows, " x ", cols, " for an input of shape ", shape(), "; got ",
                       value.rows(), " x ", value.cols());
    const GradTarget to = target();
    if constexpr (is_array) {
      ArrayMap map(to.data, rows);
      if (to.accumulate)
        map += value;
      else
        map = value;
    } else {
      MatrixMap map(to.data, rows, cols);
      if (to.accumulate)
        map.noalias() += value;
      else
        map.noalias() = value;
    }
  }
}

}  // namespace HANDRAIL_SCALAR_NAMESPACE
}  // namespace handrail
