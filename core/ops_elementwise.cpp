#include <handrail/core/elementwise.h>
#include <handrail/core/kernels.h>
#include <handrail/core/ops.h>

namespace handrail {
inline namespace HANDRAIL_SCALAR_NAMESPACE {

using handrail::detail::for_chunks;
using handrail::detail::Keep;
using handrail::detail::unary;

Tensor exp(const Tensor& x) {
  return unary<Keep::output>("exp", x, kernels_here().exp, [](auto y) { return y; });
}

Tensor log(const Tensor& x) {
  return unary<Keep::input>(
      "log", x, [](auto v) { return v.log(); }, [](auto v) { return v.inverse(); });
}

Tensor sqrt(const Tensor& x) {
  return unary<Keep::output>(
      "sqrt", x, [](auto v) { return v.sqrt(); }, [](auto y) { return Scalar(0.5) * y.inverse(); });
}

Tensor square(const Tensor& x) {
  return unary<Keep::input>(
      "square", x, [](auto v) { return v.square(); }, [](auto v) { return 2 * v; });
}

Tensor abs(const Tensor& x) {
  return unary<Keep::input>(
      "abs", x, [](auto v) { return v.abs(); }, [](auto v) { return v.sign(); });
}

Tensor tanh(const Tensor& x) {
  return unary<Keep::output>("tanh", x, kernels_here().tanh, [](auto y) { return 1 - y.square(); });
}

Tensor sigmoid(const Tensor& x) {
  return unary<Keep::output>("sigmoid", x, kernels_here().sigmoid, [](auto y) { return y * (1 - y); });
}

Tensor softplus(const Tensor& x) {
  return unary<Keep::input>(
      "softplus", x, [](auto v) { return v.max(Scalar(0)) + (-v.abs()).exp().log1p(); },
      [](auto v) { return v.logistic(); });
}

Tensor gelu(const Tensor& x) {
  return unary<Keep::input>("gelu", x, kernels_here().gelu, kernels_here().gelu_backward);
}

Tensor relu(const Tensor& x) {
  return unary<Keep::output>("relu", x, kernels_here().relu, kernels_here().relu_backward);
}

Tensor affine(const Tensor& x, double scale, double shift) {
  const auto factor = static_cast<Scalar>(scale);
  const auto offset = static_cast<Scalar>(shift);
  Tensor y(x.shape());
  const Scalar* in = x.data();
  Scalar* out = y.mutable_data();
  for_chunks(x.size(), [&](Index first, Index n) {
    for (Index i = first; i < first + n; ++i) out[i] = factor * in[i] + offset;
  });
  return Tape::record("affine", {x}, y, [factor](const Backward& b) { b[0] += factor * array(b.output_grad()); });
}

}  // namespace HANDRAIL_SCALAR_NAMESPACE
}  // namespace handrail
