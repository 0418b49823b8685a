#include <algorithm>
#include <cmath>

#include <handrail/core/eigen.h>
#include <handrail/core/error.h>
#include <handrail/core/finite.h>
#include <handrail/core/ops.h>
#include <handrail/core/parallel.h>

namespace handrail {
inline namespace HANDRAIL_SCALAR_NAMESPACE {
namespace {

void check_affine(const char* op, const Tensor& x, const Tensor& gain, const Tensor& shift) {
  const Shape want{x.shape().cols()};
  if (x.shape().rank() < 1 || gain.shape() != want || shift.shape() != want)
    fail<ShapeError>(op, ": want x [N, D], gain [D], shift [D]; got x ", x.shape(), ", gain ", gain.shape(), ", shift ",
                     shift.shape());
}

// y = gain * normed + shift
Tensor affine_of(const Tensor& normed, const Tensor& gain, const Tensor& shift) {
  Tensor y(normed.shape());
  const Index rows = normed.shape().rows(), cols = normed.shape().cols();
  const Scalar *n = normed.data(), *g = gain.data(), *s = shift.data();
  Scalar* out = y.mutable_data();
  for (Index i = 0; i < rows; ++i)
    for (Index j = 0; j < cols; ++j) out[i * cols + j] = g[j] * n[i * cols + j] + s[j];
  return y;
}

// The gradients of gain and shift.
void affine_backward(const Backward& b, const Tensor& normed) {
  const ConstMatrixMap gy = matrix(b.output_grad());
  b[1] += gy.cwiseProduct(matrix(normed)).colwise().sum();
  b[2] += gy.colwise().sum();
}

}  // namespace

Tensor layer_norm(const Tensor& x, const Tensor& gain, const Tensor& shift, double eps) {
  check_affine("layer_norm", x, gain, shift);
  const Index rows = x.shape().rows(), cols = x.shape().cols();
  Tensor normed(x.shape()), inverse(Shape{rows});  // inverse: 1 / standard deviation of each row
  const ConstMatrixMap in = matrix(x);
  MatrixMap out = mutable_matrix(normed);
  ArrayMap inv = mutable_array(inverse);
  for (Index i = 0; i < rows; ++i) {
    const Scalar mean = in.row(i).mean();
    out.row(i) = in.row(i).array() - mean;
    inv[i] = 1 / std::sqrt(out.row(i).squaredNorm() / static_cast<Scalar>(cols) + static_cast<Scalar>(eps));
    out.row(i) *= inv[i];
  }
  return Tape::record("layer_norm", {x, gain, shift}, affine_of(normed, gain, shift),
                      [normed = Saved(normed), inverse = Saved(inverse), gain = Saved(gain)](const Backward& b) {
                        affine_backward(b, *normed);
                        if (!b[0].needed()) return;
                        // dx = (g - mean(g) - normed * mean(g * normed)) / sd over each row, g = gy * gain
                        const ConstMatrixMap n = matrix(*normed), gy = matrix(b.output_grad());
                        const Tensor scaled(normed->shape());
                        MatrixMap g = mutable_matrix(scaled);
                        for (Index i = 0; i < n.rows(); ++i) {
                          g.row(i) = gy.row(i).cwiseProduct(matrix(*gain).row(0));
                          const Scalar middle = g.row(i).mean();
                          const Scalar along = g.row(i).dot(n.row(i)) / static_cast<Scalar>(n.cols());
                          g.row(i) = ((g.row(i).array() - middle) - n.row(i).array() * along) * array(*inverse)[i];
                        }
                        b[0] += g;
                      });
}

Tensor batch_norm(const Tensor& x, const Tensor& gain, const Tensor& shift, const RunningStats& running,
                  double momentum, double eps) {
  check_affine("batch_norm", x, gain, shift);
  if (running.mean.shape() != gain.shape() || running.variance.shape() != gain.shape())
    fail<ShapeError>("batch_norm: want running mean and variance ", gain.shape(), "; got ", running.mean.shape(),
                     " and ", running.variance.shape());
  const Index rows = x.shape().rows();
  const bool training = Tape::training();
  if (training && rows < 2)
    fail<ShapeError>("batch_norm: want at least 2 rows to train on; got x ", x.shape(),
                     "; use a larger batch, or evaluate without a tape");

  Tensor mean(gain.shape()), inverse(gain.shape());  // inverse: 1 / standard deviation of each column
  ArrayMap m = mutable_array(mean), inv = mutable_array(inverse);
  const ConstMatrixMap in = matrix(x);
  if (training) {
    const Tensor variance(gain.shape());
    ArrayMap v = mutable_array(variance);
    m.setZero();
    v.setZero();
    for (Index i = 0; i < rows; ++i) m += in.row(i).transpose().array();
    m /= static_cast<Scalar>(rows);
    for (Index i = 0; i < rows; ++i) v += (in.row(i).transpose().array() - m).square();
    v /= static_cast<Scalar>(rows);
    inv = (v + static_cast<Scalar>(eps)).rsqrt();
    if (first_non_finite(mean.span()) < 0 && first_non_finite(variance.span()) < 0) {
      const auto step = static_cast<Scalar>(momentum);
      const Scalar unbiased = static_cast<Scalar>(rows) / static_cast<Scalar>(rows - 1);
      ArrayMap rm = mutable_array(running.mean), rv = mutable_array(running.variance);
      rm += step * (m - rm);
      rv += step * (unbiased * v - rv);
    }
  } else {
    m = array(running.mean);
    inv = (array(running.variance) + static_cast<Scalar>(eps)).rsqrt();
  }
  Tensor normed(x.shape());
  MatrixMap out = mutable_matrix(normed);
  for (Index i = 0; i < rows; ++i) out.row(i) = ((in.row(i).transpose().array() - m) * inv).matrix().transpose();

  return Tape::record(
      "batch_norm", {x, gain, shift}, affine_of(normed, gain, shift),
      [normed = Saved(normed), inverse = Saved(inverse), gain = Saved(gain), training](const Backward& b) {
        affine_backward(b, *normed);
        if (!b[0].needed()) return;
        // dx = gain / sd * (gy - mean(gy) - normed * mean(gy * normed)) over each column; the means are
        // those of the batch, so they fall away when the statistics are constants.
        const ConstMatrixMap n = matrix(*normed), gy = matrix(b.output_grad());
        const Tensor means = Tensor::zeros({2, n.cols()}), grad(normed->shape());
        MatrixMap over_batch = mutable_matrix(means);
        if (training) {
          for (Index i = 0; i < n.rows(); ++i) {
            over_batch.row(0) += gy.row(i);
            over_batch.row(1) += gy.row(i).cwiseProduct(n.row(i));
          }
          over_batch /= static_cast<Scalar>(n.rows());
        }
        const Tensor scales(gain->shape());
        MatrixMap scale = mutable_matrix(scales), g = mutable_matrix(grad);
        scale = matrix(*gain).cwiseProduct(matrix(*inverse));
        for (Index i = 0; i < n.rows(); ++i)
          g.row(i) = scale.row(0).array() *
                     (gy.row(i).array() - over_batch.row(0).array() - n.row(i).array() * over_batch.row(1).array());
        b[0] += g;
      });
}

}  // namespace HANDRAIL_SCALAR_NAMESPACE
}  // namespace handrail
