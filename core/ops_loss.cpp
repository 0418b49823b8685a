#include <algorithm>
#include <cmath>

#include <handrail/core/elementwise.h>
#include <handrail/core/error.h>
#include <handrail/core/kernels.h>
#include <handrail/core/ops.h>

namespace handrail {
inline namespace HANDRAIL_SCALAR_NAMESPACE {
namespace {

// Rows to a chunk: the chunk starts aligned, as 16 rows of any width do, and is worth a thread.
Index row_grain(Index cols) { return std::max<Index>(1, elementwise_grain / std::max<Index>(1, cols) / 16) * 16; }

// p = exp(x - max of the row); returns in `sums` [N] the sum of each row and in `maxima` its maximum.
struct RowExp {
  Tensor p, sums, maxima;
};
RowExp exp_rows(const char* op, const Tensor& x) {
  const Index rows = x.shape().rows(), cols = x.shape().cols();
  if (x.shape().rank() < 1 || cols == 0)
    fail<ShapeError>(op, ": want a last dimension of at least one class; got shape ", x.shape());
  RowExp r{Tensor(x.shape()), Tensor(Shape{rows}), Tensor(Shape{rows})};
  const Scalar* in = x.data();
  Scalar *p = r.p.mutable_data(), *sums = r.sums.mutable_data(), *maxima = r.maxima.mutable_data();
  parallel_ranges(rows, row_grain(cols), [&](Index begin, Index end) {
    kernels_here().exp_rows(in + begin * cols, end - begin, cols, p + begin * cols, sums + begin, maxima + begin);
  });
  return r;
}

}  // namespace

Tensor softmax(const Tensor& x) {
  const RowExp r = exp_rows("softmax", x);
  MatrixMap rows = mutable_matrix(r.p);
  for (Index i = 0; i < rows.rows(); ++i) rows.row(i) *= 1 / r.sums.data()[i];
  return Tape::record("softmax", {x}, r.p, [y = Saved(r.p)](const Backward& b) {
    const ConstMatrixMap p = matrix(*y), gy = matrix(b.output_grad());
    const Tensor along(Shape{gy.rows()});
    mutable_array(along) = p.cwiseProduct(gy).rowwise().sum().array();
    b[0] += p.array() * (gy.array().colwise() - array(along));
  });
}

Tensor log_softmax(const Tensor& x) {
  const RowExp r = exp_rows("log_softmax", x);
  Tensor y(x.shape());
  const ConstMatrixMap in = matrix(x);
  MatrixMap out = mutable_matrix(y);
  MatrixMap p = mutable_matrix(r.p);
  for (Index i = 0; i < out.rows(); ++i) {
    // The maximum first: added to the logarithm, a large one would swallow it.
    const Scalar top = r.maxima.data()[i], log_sum = std::log(r.sums.data()[i]);
    for (Index j = 0; j < out.cols(); ++j) out(i, j) = in(i, j) - top - log_sum;
    p.row(i) *= 1 / r.sums.data()[i];
  }
  return Tape::record("log_softmax", {x}, y, [p = Saved(r.p)](const Backward& b) {
    const ConstMatrixMap gy = matrix(b.output_grad());
    const Tensor total(Shape{gy.rows()});
    mutable_array(total) = gy.rowwise().sum().array();
    b[0] += gy.array() - matrix(*p).array().colwise() * array(total);
  });
}

Tensor cross_entropy(const Tensor& logits, const Tensor& targets) {
  const Shape& shape = logits.shape();
  if (shape.rank() != 2 || targets.shape() != Shape{shape[0]} || shape[0] == 0)
    fail<ShapeError>("cross_entropy: want logits [N, C], targets [N], N > 0; got logits ", shape, ", targets ",
                     targets.shape());
  const Index rows = shape[0], cols = shape[1];
  const Scalar* classes = targets.data();
  for (Index i = 0; i < rows; ++i)
    if (!(classes[i] >= 0 && classes[i] < static_cast<Scalar>(cols)) || classes[i] != std::floor(classes[i]))
      throw DataError(
          concat("cross_entropy: want a class in [0, ", cols, ") as a whole number; got ", classes[i], " in row ", i),
          i);
  const RowExp r = exp_rows("cross_entropy", logits);
  const Scalar *in = logits.data(), *sums = r.sums.data(), *maxima = r.maxima.data();
  double total = 0;
  for (Index i = 0; i < rows; ++i)
    total += static_cast<double>(maxima[i] - in[i * cols + static_cast<Index>(classes[i])]) +
             static_cast<double>(std::log(sums[i]));
  const Tensor loss = Tensor::scalar(static_cast<Scalar>(total / static_cast<double>(rows)));
  return Tape::record("cross_entropy", {logits}, loss,
                      [r, p = Saved(r.p), targets = Saved(targets)](const Backward& b) {
                        const Index n = p->shape()[0], c = p->shape()[1];
                        const Scalar *e = p->data(), *row_sums = r.sums.data(), *label = targets->data();
                        const Scalar scale = b.output_grad().item() / static_cast<Scalar>(n);
                        const GradTarget to = b[0].target();
                        parallel_ranges(n, row_grain(c), [&](Index begin, Index end) {
                          kernels_here().cross_entropy_backward(e + begin * c, row_sums + begin, label + begin, scale,
                                                                end - begin, c, to.data + begin * c, to.accumulate);
                        });
                      });
}

Tensor binary_cross_entropy_with_logits(const Tensor& logits, const Tensor& targets) {
  if (logits.shape() != targets.shape() || logits.size() == 0)
    fail<ShapeError>("binary_cross_entropy_with_logits: want logits and targets of the same shape, not empty; got ",
                     logits.shape(), " and ", targets.shape());
  const Scalar* t = targets.data();
  for (Index i = 0; i < targets.size(); ++i)
    if (!(t[i] >= 0 && t[i] <= 1))
      throw DataError(concat("binary_cross_entropy_with_logits: want targets in [0, 1]; got ", t[i], " in element ", i),
                      i / (targets.size() / std::max<Index>(1, targets.shape().rank() > 0 ? targets.shape()[0] : 1)));
  const Tensor terms(logits.shape());
  const ConstArrayMap x = array(logits);
  mutable_array(terms) = x.max(Scalar(0)) - x * array(targets) + (-x.abs()).exp().log1p();
  double total = 0;
  for (const Scalar term : terms.span()) total += static_cast<double>(term);
  const Tensor loss = Tensor::scalar(static_cast<Scalar>(total / static_cast<double>(logits.size())));
  return Tape::record("binary_cross_entropy_with_logits", {logits}, loss,
                      [x = Saved(logits), t = Saved(targets)](const Backward& b) {
                        const Scalar scale = b.output_grad().item() / static_cast<Scalar>(x->size());
                        b[0] += scale * (array(*x).logistic() - array(*t));
                      });
}

Tensor mse_loss(const Tensor& predictions, const Tensor& targets) {
  if (predictions.shape() != targets.shape() || predictions.size() == 0)
    fail<ShapeError>("mse_loss: want predictions and targets of the same shape, not empty; got ", predictions.shape(),
                     " and ", targets.shape(), "; reshape() one of them");
  const Tensor difference(predictions.shape());
  mutable_array(difference) = array(predictions) - array(targets);
  double total = 0;
  for (const Scalar d : difference.span()) total += static_cast<double>(d) * static_cast<double>(d);
  const Tensor loss = Tensor::scalar(static_cast<Scalar>(total / static_cast<double>(predictions.size())));
  return Tape::record("mse_loss", {predictions, targets}, loss, [d = Saved(difference)](const Backward& b) {
    const Scalar scale = 2 * b.output_grad().item() / static_cast<Scalar>(d->size());
    b[0] += scale * array(*d);
    b[1] += -scale * array(*d);
  });
}

}  // namespace HANDRAIL_SCALAR_NAMESPACE
}  // namespace handrail
