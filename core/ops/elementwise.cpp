#include <handrail/core/ops/internal/chunks.h>
#include <handrail/core/ops/ops.h>
#include <handrail/core/system/internal/kernels.h>

namespace handrail {
inline namespace HANDRAIL_SCALAR_NAMESPACE {

using handrail::detail::for_chunks;

namespace {

// Records an op on each element, which saves its input or its output for the backward pass.
Tensor elementwise(const char* op, const Tensor& x, const kernels::Elementwise& kernel) {
  Tensor y(x.shape());
  const Scalar* in = x.data();
  Scalar* out = y.mutable_data();
  for_chunks(x.size(), kernel.ns, [&](Index i, Index n) { kernel.forward(in + i, n, out + i); });
  return Tape::record(
      op, {x}, y, [kept = Saved(kernel.keep == kernels::Keep::input ? x : y), &kernel](const Backward& b) {
        const Scalar *saved = kept->data(), *gy = b.output_grad().data();
        const GradTarget to = b[0].target();
        for_chunks(kept->size(), kernel.ns,
                   [&](Index i, Index n) { kernel.backward(saved + i, gy + i, n, to.data + i, to.accumulate); });
      });
}

}  // namespace

Tensor affine(const Tensor& x, double scale, double shift) {
  static constexpr double ns_per_element = 0.04;
  const auto factor = static_cast<Scalar>(scale);
  const auto offset = static_cast<Scalar>(shift);
  Tensor y(x.shape());
  const Scalar* in = x.data();
  Scalar* out = y.mutable_data();
  for_chunks(x.size(), ns_per_element,
             [&](Index i, Index n) { kernels_here().affine(in + i, n, factor, offset, out + i); });
  return Tape::record("affine", {x}, y, [factor, size = x.size()](const Backward& b) {
    const Scalar* gy = b.output_grad().data();
    const GradTarget to = b[0].target();
    for_chunks(size, ns_per_element,
               [&](Index i, Index n) { kernels_here().scale(gy + i, n, factor, to.data + i, to.accumulate); });
  });
}

}  // namespace HANDRAIL_SCALAR_NAMESPACE
}  // namespace handrail

// Defines the function of each op in the list. A qualified name must be declared, so an op that core/ops/ops.h lacks
// does not compile.
#define HANDRAIL_DEFINE(name, Op) \
  handrail::Tensor handrail::name(const Tensor& x) { return elementwise(#name, x, kernels_here().name); }
HANDRAIL_ELEMENTWISE_OPS(HANDRAIL_DEFINE)
#undef HANDRAIL_DEFINE
