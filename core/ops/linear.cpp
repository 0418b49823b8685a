#include <algorithm>
#include <string>

#include <handrail/core/error.h>
#include <handrail/core/ops/internal/gemm.h>
#include <handrail/core/ops/ops.h>
#include <handrail/core/system/internal/kernels.h>

namespace handrail {
inline namespace HANDRAIL_SCALAR_NAMESPACE {
namespace {

// Adds the gradients of y = x weight to the slots of x [n, in] and weight [in, out].
void product_backward(const Backward& b, const Tensor& x, const Tensor& weight) {
  const Index n = x.shape().rows(), in = weight.shape()[0], out = weight.shape()[1];
  const MatrixView gy = row_major(b.output_grad().data(), out);
  if (b[0].needed()) {
    const GradTarget to = b[0].target();
    gemm(n, in, out, gy, row_major(weight.data(), out).transposed(), to.data, in, {.accumulate = to.accumulate});
  }
  if (b[1].needed()) {
    const GradTarget to = b[1].target();
    gemm(in, out, n, row_major(x.data(), in).transposed(), gy, to.data, out, {.accumulate = to.accumulate});
  }
}

// Adds the sum of the rows of gy [n, out] to the slot, in order, whatever the number of threads.
void add_column_sums(const GradSlot& slot, const Tensor& gy) {
  if (!slot.needed()) return;
  const Index n = gy.shape().rows(), out = gy.shape().cols();
  const GradTarget to = slot.target();
  if (!to.accumulate) std::fill_n(to.data, out, Scalar(0));
  kernels_here().add_column_sums(gy.data(), n, out, to.data);
}

std::string width_hint(const Shape& x, const Shape& weight) {
  if (x.rank() < 1 || weight.rank() != 2 || x.cols() == weight[0]) return "";
  return concat(": x has ", x.cols(), " columns, the layer takes ", weight[0]);
}

}  // namespace

Tensor matmul(const Tensor& a, const Tensor& b) {
  const Shape &sa = a.shape(), &sb = b.shape();
  if (sa.rank() != 2 || sb.rank() != 2 || sa[1] != sb[0])
    fail<ShapeError>("matmul: want a [N, K], b [K, M]; got a ", sa, ", b ", sb);
  Tensor y({sa[0], sb[1]});
  gemm(sa[0], sb[1], sa[1], row_major(a.data(), sa[1]), row_major(b.data(), sb[1]), y.mutable_data(), sb[1]);
  return Tape::record("matmul", {a, b}, y,
                      [a = Saved(a), b = Saved(b)](const Backward& back) { product_backward(back, *a, *b); });
}

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  const Shape &sx = x.shape(), &sw = weight.shape();
  const bool has_bias = bias.defined();
  if (sx.rank() < 1 || sw.rank() != 2 || sx.cols() != sw[0] || (has_bias && bias.shape() != Shape{sw[1]})) {
    if (has_bias)
      fail<ShapeError>("linear: want x [N, in], weight [in, out], bias [out]; got x ", sx, ", weight ", sw, ", bias ",
                       bias.shape(), width_hint(sx, sw));
    fail<ShapeError>("linear: want x [N, in], weight [in, out]; got x ", sx, ", weight ", sw, width_hint(sx, sw));
  }
  const Index n = sx.rows(), in = sw[0], out = sw[1];
  Tensor y(sx.with_last(out));
  gemm(n, out, in, row_major(x.data(), in), row_major(weight.data(), out), y.mutable_data(), out,
       {.row = has_bias ? bias.data() : nullptr});
  const auto backward = [x = Saved(x), weight = Saved(weight), has_bias](const Backward& b) {
    product_backward(b, *x, *weight);
    if (has_bias) add_column_sums(b[2], b.output_grad());
  };
  if (has_bias) return Tape::record("linear", {x, weight, bias}, y, backward);
  return Tape::record("linear", {x, weight}, y, backward);
}

}  // namespace HANDRAIL_SCALAR_NAMESPACE
}  // namespace handrail
