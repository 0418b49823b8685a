#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>

#include <handrail/core/eigen.h>
#include <handrail/core/error.h>
#include <handrail/core/ops/internal/chunks.h>
#include <handrail/core/ops/ops.h>
#include <handrail/core/system/internal/kernels.h>

namespace handrail {
inline namespace HANDRAIL_SCALAR_NAMESPACE {

using handrail::detail::for_row_chunks;

namespace {

constexpr double ns_exp = 0.3, ns_pass = 0.06;  // what an element takes in exp_rows, and in the other kernels

// p [..., C]: exp(x - maximum of its row); for each row, the sum of p and the maximum of x.
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
  for_row_chunks(rows, cols, ns_exp, [&](Index i, Index n) {
    kernels_here().exp_rows(in + i * cols, n, cols, p + i * cols, sums + i, maxima + i);
  });
  return r;
}

// Divides the exponentials by their sums, in place, which makes them probabilities.
void divide_rows(const RowExp& r) {
  const Index cols = r.p.shape().cols();
  Scalar* p = r.p.mutable_data();
  const Scalar* sums = r.sums.data();
  for_row_chunks(r.p.shape().rows(), cols, ns_pass,
                 [&](Index i, Index n) { kernels_here().divide_rows(sums + i, n, cols, p + i * cols); });
}

// The gradient of x from that of y, both [N, C], and the probabilities.
void rows_backward(decltype(kernels::Kernels::softmax_backward) kernel, const Backward& b,
                   const Tensor& probabilities) {
  const Index cols = probabilities.shape().cols();
  const Scalar *p = probabilities.data(), *gy = b.output_grad().data();
  const GradTarget to = b[0].target();
  for_row_chunks(probabilities.shape().rows(), cols, ns_pass, [&](Index i, Index n) {
    kernel(p + i * cols, gy + i * cols, n, cols, to.data + i * cols, to.accumulate);
  });
}

}  // namespace

Tensor softmax(const Tensor& x) {
  const RowExp r = exp_rows("softmax", x);
  divide_rows(r);
  return Tape::record("softmax", {x}, r.p,
                      [p = Saved(r.p)](const Backward& b) { rows_backward(kernels_here().softmax_backward, b, *p); });
}

Tensor log_softmax(const Tensor& x) {
  const RowExp r = exp_rows("log_softmax", x);
  Tensor y(x.shape());
  const Index cols = x.shape().cols();
  const Scalar *in = x.data(), *maxima = r.maxima.data(), *sums = r.sums.data();
  Scalar* out = y.mutable_data();
  for_row_chunks(x.shape().rows(), cols, ns_pass, [&](Index i, Index n) {
    kernels_here().log_softmax(in + i * cols, maxima + i, sums + i, n, cols, out + i * cols);
  });
  divide_rows(r);
  return Tape::record("log_softmax", {x}, y, [p = Saved(r.p)](const Backward& b) {
    rows_backward(kernels_here().log_softmax_backward, b, *p);
  });
}

Tensor logsumexp(const Tensor& x) {
  const RowExp r = exp_rows("logsumexp", x);
  const std::span<const Index> dims = x.shape().dims();
  const Tensor y(Shape(dims.first(dims.size() - 1)));
  kernels_here().log.forward(r.sums.data(), r.sums.size(), y.mutable_data());
  mutable_array(y) += array(r.maxima);
  // An infinite element less an infinite maximum is NaN. The result of such a row is its maximum, or NaN if it has one.
  ArrayMap out = mutable_array(y);
  for (Index i = 0; i < out.size(); ++i)
    if (std::isinf(r.maxima.data()[i])) out[i] = matrix(x).row(i).maxCoeff<Eigen::PropagateNaN>();
  return Tape::record("logsumexp", {x}, y, [r](const Backward& b) {
    const Tensor factor(r.sums.shape());  // of each row; Eigen would take memory for it from the heap
    mutable_array(factor) = array(b.output_grad()) / array(r.sums);
    b[0] += matrix(r.p).array().colwise() * array(factor);
  });
}

Tensor cross_entropy(const Tensor& logits, const Tensor& targets) {
  const Shape& shape = logits.shape();
  const bool is_column = shape.rank() == 2 && targets.shape() == Shape{shape[0], 1};
  if (shape.rank() != 2 || targets.shape() != Shape{shape[0]} || shape[0] == 0)
    fail<ShapeError>("cross_entropy: want logits [N, C], targets [N], N > 0; got logits ", shape, ", targets ",
                     targets.shape(), is_column ? "; reshape() the targets" : "");
  const Index rows = shape[0], cols = shape[1];
  const Scalar* classes = targets.data();
  for (Index i = 0; i < rows; ++i)
    if (!(classes[i] >= 0 && classes[i] < static_cast<Scalar>(cols)) || classes[i] != std::floor(classes[i]))
      throw DataError(
          concat("cross_entropy: want a class in [0, ", cols, ") as a whole number; got ", classes[i], " in row ", i),
          i);
  const RowExp r = exp_rows("cross_entropy", logits);
  const Tensor log_sums(Shape{rows});
  kernels_here().log.forward(r.sums.data(), rows, log_sums.mutable_data());
  const Scalar *in = logits.data(), *logs = log_sums.data(), *maxima = r.maxima.data();
  double total = 0;
  for (Index i = 0; i < rows; ++i)
    total +=
        static_cast<double>(maxima[i] - in[i * cols + static_cast<Index>(classes[i])]) + static_cast<double>(logs[i]);
  const Tensor loss = Tensor::scalar(static_cast<Scalar>(total / static_cast<double>(rows)));
  return Tape::record("cross_entropy", {logits}, loss,
                      [r, p = Saved(r.p), targets = Saved(targets)](const Backward& b) {
                        const Index n = p->shape()[0], c = p->shape()[1];
                        const Scalar *e = p->data(), *row_sums = r.sums.data(), *label = targets->data();
                        const Scalar scale = b.output_grad().item() / static_cast<Scalar>(n);
                        const GradTarget to = b[0].target();
                        for_row_chunks(n, c, ns_pass, [&](Index i, Index count) {
                          kernels_here().cross_entropy_backward(e + i * c, row_sums + i, label + i, scale, count, c,
                                                                to.data + i * c, to.accumulate);
                        });
                      });
}

namespace {

// Throws the error of the first target outside of [0, 1].
[[noreturn]] void refuse_target(const Tensor& targets) {
  const std::span<const Scalar> t = targets.span();
  const auto first = std::ranges::find_if(t, [](Scalar target) { return !(target >= 0 && target <= 1); });
  const Index i = first - t.begin(), samples = targets.shape().rank() > 0 ? targets.shape()[0] : 1;
  throw DataError(concat("binary_cross_entropy_with_logits: want targets in [0, 1]; got ", *first, " in element ", i),
                  i / (targets.size() / samples));
}

}  // namespace

Tensor binary_cross_entropy_with_logits(const Tensor& logits, const Tensor& targets) {
  if (logits.shape() != targets.shape() || logits.size() == 0)
    fail<ShapeError>("binary_cross_entropy_with_logits: want logits and targets of the same shape, not empty; got ",
                     logits.shape(), " and ", targets.shape());
  // Compilers vectorise this sum, but no search that may stop early. It wraps only at 2^32 wrong targets.
  const ConstArrayMap t = array(targets);
  if ((t >= 0 && t <= 1).cast<std::uint32_t>().sum() != static_cast<std::uint32_t>(t.size())) refuse_target(targets);
  const double total = kernels_here().binary_cross_entropy(logits.data(), t.data(), logits.size());
  const Tensor loss = Tensor::scalar(static_cast<Scalar>(total / static_cast<double>(logits.size())));
  return Tape::record(
      "binary_cross_entropy_with_logits", {logits}, loss, [x = Saved(logits), t = Saved(targets)](const Backward& b) {
        const Scalar scale = b.output_grad().item() / static_cast<Scalar>(x->size());
        const GradTarget to = b[0].target();
        kernels_here().binary_cross_entropy_backward(x->data(), t->data(), x->size(), scale, to.data, to.accumulate);
      });
}

}  // namespace HANDRAIL_SCALAR_NAMESPACE
}  // namespace handrail
