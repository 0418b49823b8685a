#include <handrail/core/ops/internal/elementwise.h>
#include <handrail/core/kernels/kernels.h>
#include <handrail/core/ops/ops.h>

namespace handrail {
inline namespace HANDRAIL_SCALAR_NAMESPACE {

using handrail::detail::elementwise;
using handrail::detail::for_chunks;
using handrail::detail::Keep;

Tensor relu(const Tensor& x) { return elementwise("relu", x, Keep::output, kernels_here().relu); }
Tensor square(const Tensor& x) { return elementwise("square", x, Keep::input, kernels_here().square); }
Tensor abs(const Tensor& x) { return elementwise("abs", x, Keep::input, kernels_here().abs); }
Tensor sqrt(const Tensor& x) { return elementwise("sqrt", x, Keep::output, kernels_here().sqrt); }
Tensor exp(const Tensor& x) { return elementwise("exp", x, Keep::output, kernels_here().exp); }
Tensor log(const Tensor& x) { return elementwise("log", x, Keep::input, kernels_here().log); }
Tensor tanh(const Tensor& x) { return elementwise("tanh", x, Keep::output, kernels_here().tanh); }
Tensor sigmoid(const Tensor& x) { return elementwise("sigmoid", x, Keep::output, kernels_here().sigmoid); }
Tensor softplus(const Tensor& x) { return elementwise("softplus", x, Keep::input, kernels_here().softplus); }
Tensor gelu(const Tensor& x) { return elementwise("gelu", x, Keep::input, kernels_here().gelu); }

Tensor affine(const Tensor& x, double scale, double shift) {
  const auto factor = static_cast<Scalar>(scale);
  const auto offset = static_cast<Scalar>(shift);
  Tensor y(x.shape());
  const Scalar* in = x.data();
  Scalar* out = y.mutable_data();
  for_chunks(x.size(), [&](Index i, Index n) { kernels_here().affine(in + i, n, factor, offset, out + i); });
  return Tape::record("affine", {x}, y, [factor, size = x.size()](const Backward& b) {
    const Scalar* gy = b.output_grad().data();
    const GradTarget to = b[0].target();
    for_chunks(size, [&](Index i, Index n) { kernels_here().scale(gy + i, n, factor, to.data + i, to.accumulate); });
  });
}

}  // namespace HANDRAIL_SCALAR_NAMESPACE
}  // namespace handrail
