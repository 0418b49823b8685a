#pragma once

#include <type_traits>

#include <Eigen/Core>

#include <handrail/core/error.h>
#include <handrail/core/tape.h>
#include <handrail/core/tensor.h>

namespace handrail {
inline namespace HANDRAIL_SCALAR_NAMESPACE {

// Maps of elements; what they point to is aligned to 64 bytes.
using ArrayMap = Eigen::Map<Eigen::Array<Scalar, Eigen::Dynamic, 1>, Eigen::Aligned64>;
using ConstArrayMap = Eigen::Map<const ArrayMap::PlainObject, Eigen::Aligned64>;
using MatrixMap = Eigen::Map<Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>, Eigen::Aligned64>;
using ConstMatrixMap = Eigen::Map<const MatrixMap::PlainObject, Eigen::Aligned64>;

// Views of a tensor, which neither copy the elements nor keep the tensor alive: keep a handle to the tensor as long as
// its view. A mutable_ view counts as a write, as Tensor::mutable_data does.

/// All elements as one Eigen array, in row-major order. The tensor must outlive the view; a mutable_ one is a write.
inline ConstArrayMap array(const Tensor& t) { return {t.data(), t.size()}; }
inline ArrayMap mutable_array(const Tensor& t) { return {t.mutable_data(), t.size()}; }

/// All elements as an Eigen matrix [rows, cols]: the last dimension is cols, all others multiplied are rows. The tensor
/// must outlive the view; a mutable_ one is a write.
inline ConstMatrixMap matrix(const Tensor& t) { return {t.data(), t.shape().rows(), t.shape().cols()}; }
inline MatrixMap mutable_matrix(const Tensor& t) { return {t.mutable_data(), t.shape().rows(), t.shape().cols()}; }

/// A copy of the elements as a row-major Eigen matrix of Element, [rows, cols] as matrix() has them: a tensor [N] gives
/// one row and a scalar 1 x 1. The copy owns its elements, so that auto p = to_eigen(trainer.predict(x)) is valid.
template <class Element = Scalar>
Eigen::Matrix<Element, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> to_eigen(const Tensor& t) {
  return matrix(t).template cast<Element>();
}

/// A new tensor with the elements of an Eigen matrix, array, map, block or expression of real numbers or integers, in
/// any storage order. A vector, which has one row or one column at compile time, gives [N]; anything else gives
/// [rows, cols], also when one of them is 1 at run time. The tensor is a constant: no gradient flows into it.
/// Elements are cast to Scalar. As floats, whole numbers are exact up to 2^24, and numbers beyond 3.4e38 become
/// infinite, which TensorDataset refuses.
template <class Derived>
Tensor from_eigen(const Eigen::DenseBase<Derived>& expression) {
  static_assert(!Eigen::NumTraits<typename Derived::Scalar>::IsComplex, "from_eigen: want real numbers or integers");
  const auto rows = expression.rows(), cols = expression.cols();
  Tensor t = Derived::IsVectorAtCompileTime ? Tensor({rows * cols}) : Tensor({rows, cols});
  MatrixMap(t.mutable_data(), rows, cols).noalias() = expression.derived().matrix().template cast<Scalar>();
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
