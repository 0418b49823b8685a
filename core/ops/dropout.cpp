#include <algorithm>
#include <cmath>

#include <handrail/core/error.h>
#include <handrail/core/ops/internal/chunks.h>
#include <handrail/core/ops/ops.h>
#include <handrail/core/random.h>
#include <handrail/core/system/internal/kernels.h>

namespace handrail {
inline namespace HANDRAIL_SCALAR_NAMESPACE {

using handrail::detail::for_chunks;

Tensor dropout(const Tensor& x, double p) {
  if (!(p >= 0 && p < 1)) fail<OptionError>("dropout: want a probability in [0, 1); got ", p);
  if (!Tape::training() || p == 0) return x;
  StreamKey key{.seed = 0, .stream = Stream::dropout};
  const RandomPosition at = Tape::next_random("dropout", key.call);
  key.seed = at.seed;
  key.position = at.position;

  const auto threshold = static_cast<std::uint32_t>(std::min(std::ldexp(p, 32), 4294967295.0));
  const auto scale = static_cast<Scalar>(1 / (1 - p));
  const PhiloxPoint point = philox_point(key);
  const Tensor mask(x.shape()), y(x.shape());
  const Scalar* in = x.data();
  Scalar *m = mask.mutable_data(), *out = y.mutable_data();
  for_chunks(x.size(), 0.3, [&](Index i, Index n) {
    kernels_here().dropout(point.counter.data(), point.key.data(), i, n, threshold, scale, in + i, m + i, out + i);
  });
  return Tape::record("dropout", {x}, y, [mask](const Backward& b) {
    const Scalar *kept = mask.data(), *gy = b.output_grad().data();
    const GradTarget to = b[0].target();
    for_chunks(mask.size(), 0.06,
               [&](Index i, Index n) { kernels_here().multiply(gy + i, kept + i, n, to.data + i, to.accumulate); });
  });
}

}  // namespace HANDRAIL_SCALAR_NAMESPACE
}  // namespace handrail
