#include <algorithm>
#include <cmath>

#include <handrail/core/eigen.h>
#include <handrail/core/error.h>
#include <handrail/core/ops/internal/chunks.h>
#include <handrail/core/ops/ops.h>
#include <handrail/core/system/finite.h>
#include <handrail/core/system/internal/kernels.h>

namespace handrail {
inline namespace HANDRAIL_SCALAR_NAMESPACE {

using handrail::detail::for_row_chunks;

namespace {

constexpr double ns_layer_norm = 0.2, ns_batch_norm = 0.07;  // what an element takes

void check_affine(const char* op, const Tensor& x, const Tensor& gain, const Tensor& shift) {
  const Shape want{x.shape().cols()};
  if (x.shape().rank() < 1 || gain.shape() != want || shift.shape() != want)
    fail<ShapeError>(op, ": want x [N, D], gain [D], shift [D]; got x ", x.shape(), ", gain ", gain.shape(), ", shift ",
                     shift.shape());
}

// Adds the gradients of gain and shift to slots 1 and 2.
void affine_backward(const Backward& b, const Tensor& normed) {
  const Tensor& gy = b.output_grad();
  const Index rows = normed.shape().rows(), cols = normed.shape().cols();
  const auto start = [&](const GradSlot& slot) {
    const GradTarget to = slot.target();
    if (!to.accumulate) std::fill_n(to.data, cols, Scalar(0));
    return to.data;
  };
  if (b[1].needed()) kernels_here().add_column_products(gy.data(), normed.data(), rows, cols, start(b[1]));
  if (b[2].needed()) kernels_here().add_column_sums(gy.data(), rows, cols, start(b[2]));
}

}  // namespace

Tensor layer_norm(const Tensor& x, const Tensor& gain, const Tensor& shift, double eps) {
  check_affine("layer_norm", x, gain, shift);
  const Index rows = x.shape().rows(), cols = x.shape().cols();
  const Tensor y(x.shape()), normed(x.shape()), inverse(Shape{rows});  // inverse: 1 / standard deviation of each row
  const Scalar *in = x.data(), *g = gain.data(), *s = shift.data();
  Scalar *out = y.mutable_data(), *x_hat = normed.mutable_data(), *inv = inverse.mutable_data();
  for_row_chunks(rows, cols, ns_layer_norm, [&](Index i, Index n) {
    kernels_here().layer_norm(in + i * cols, g, s, static_cast<Scalar>(eps), n, cols, x_hat + i * cols, inv + i,
                              out + i * cols);
  });
  return Tape::record("layer_norm", {x, gain, shift}, y,
                      [normed = Saved(normed), inverse = Saved(inverse), gain = Saved(gain)](const Backward& b) {
                        affine_backward(b, *normed);
                        if (!b[0].needed()) return;
                        const Index c = normed->shape().cols();
                        const Scalar *n = normed->data(), *inverses = inverse->data(), *gy = b.output_grad().data();
                        const GradTarget to = b[0].target();
                        for_row_chunks(normed->shape().rows(), c, ns_layer_norm, [&](Index i, Index count) {
                          kernels_here().layer_norm_backward(n + i * c, inverses + i, gain->data(), gy + i * c, count,
                                                             c, to.data + i * c, to.accumulate);
                        });
                      });
}

namespace {

// Moves the running statistics towards those of a batch of `rows` rows.
void update_running_stats(const RunningStats& running, const Tensor& mean, const Tensor& variance, double momentum,
                          Index rows) {
  const auto step = static_cast<Scalar>(momentum);
  const Scalar unbiased = static_cast<Scalar>(rows) / static_cast<Scalar>(rows - 1);
  mutable_array(running.mean) += step * (array(mean) - array(running.mean));
  mutable_array(running.variance) += step * (unbiased * array(variance) - array(running.variance));
}

}  // namespace

Tensor batch_norm(const Tensor& x, const Tensor& gain, const Tensor& shift, const RunningStats& running,
                  double momentum, double eps) {
  check_affine("batch_norm", x, gain, shift);
  if (running.mean.shape() != gain.shape() || running.variance.shape() != gain.shape())
    fail<ShapeError>("batch_norm: want running mean and variance ", gain.shape(), "; got ", running.mean.shape(),
                     " and ", running.variance.shape());
  const Index rows = x.shape().rows(), cols = x.shape().cols();
  const bool training = Tape::training();
  if (training && rows < 2)
    fail<ShapeError>("batch_norm: want at least 2 rows to train on; got x ", x.shape(),
                     "; use a larger batch, or evaluate without a tape");

  Tensor mean = running.mean, variance = running.variance;
  if (training) {
    mean = Tensor(gain.shape());
    variance = Tensor(gain.shape());
    kernels_here().column_moments(x.data(), rows, cols, mean.mutable_data(), variance.mutable_data());
    if (first_non_finite(mean.span()) < 0 && first_non_finite(variance.span()) < 0)
      update_running_stats(running, mean, variance, momentum, rows);
  }
  // inverse: 1 / standard deviation of each column
  const Tensor y(x.shape()), normed(x.shape()), inverse(gain.shape());
  mutable_array(inverse) = (array(variance) + static_cast<Scalar>(eps)).unaryExpr([](Scalar v) {
    return 1 / std::sqrt(v);  // Eigen's own sqrt is not exact in float, and NaN at infinity
  });
  const Scalar *in = x.data(), *g = gain.data(), *s = shift.data();
  Scalar *out = y.mutable_data(), *x_hat = normed.mutable_data();
  for_row_chunks(rows, cols, ns_batch_norm, [&](Index i, Index n) {
    kernels_here().batch_norm(in + i * cols, mean.data(), inverse.data(), g, s, n, cols, x_hat + i * cols,
                              out + i * cols);
  });
  return Tape::record(
      "batch_norm", {x, gain, shift}, y,
      [normed = Saved(normed), inverse = Saved(inverse), gain = Saved(gain), training](const Backward& b) {
        affine_backward(b, *normed);
        if (!b[0].needed()) return;
        // The two means below enter through the statistics of the batch: in evaluation they are zero.
        const Index n = normed->shape().rows(), c = normed->shape().cols();
        const Scalar *x_hat_data = normed->data(), *gy = b.output_grad().data();
        const Tensor means = Tensor::zeros({2, c}), factor(gain->shape());
        Scalar *mean_gy = means.mutable_data(), *mean_along = mean_gy + c;
        if (training) {
          kernels_here().add_column_sums(gy, n, c, mean_gy);
          kernels_here().add_column_products(gy, x_hat_data, n, c, mean_along);
          mutable_array(means) /= static_cast<Scalar>(n);
        }
        mutable_array(factor) = array(*gain) * array(*inverse);
        const GradTarget to = b[0].target();
        for_row_chunks(n, c, ns_batch_norm, [&](Index i, Index count) {
          kernels_here().batch_norm_backward(x_hat_data + i * c, factor.data(), mean_gy, mean_along, gy + i * c, count,
                                             c, to.data + i * c, to.accumulate);
        });
      });
}

}  // namespace HANDRAIL_SCALAR_NAMESPACE
}  // namespace handrail
