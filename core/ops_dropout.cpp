#include <algorithm>
#include <cmath>

#include <handrail/core/error.h>
#include <handrail/core/ops.h>
#include <handrail/core/parallel.h>
#include <handrail/core/random.h>

namespace handrail {
inline namespace HANDRAIL_SCALAR_NAMESPACE {

Tensor dropout(const Tensor& x, double p) {
  if (!(p >= 0 && p < 1)) fail<OptionError>("dropout: want a probability in [0, 1); got ", p);
  if (!Tape::training() || p == 0) return x;
  StreamKey key{.seed = 0, .stream = Stream::dropout};
  const RandomPosition at = Tape::next_random("dropout", key.call);
  key.seed = at.seed;
  key.position = at.position;

  // An element is kept when its 32 random bits are at least p * 2^32.
  const auto threshold = static_cast<std::uint32_t>(std::min(std::ldexp(p, 32), 4294967295.0));
  const auto scale = static_cast<Scalar>(1 / (1 - p));
  const Tensor mask(x.shape()), y(x.shape());
  const Scalar* in = x.data();
  Scalar *m = mask.mutable_data(), *out = y.mutable_data();
  parallel_ranges(x.size(), elementwise_grain, [&](Index begin, Index end) {
    for (Index i = begin; i < end; i += 4) {
      const auto words = random_block(key, static_cast<std::uint32_t>(i / 4));
      const Index n = std::min<Index>(4, end - i);
      for (Index j = 0; j < n; ++j) {
        m[i + j] = words[static_cast<std::size_t>(j)] >= threshold ? scale : Scalar(0);
        out[i + j] = in[i + j] * m[i + j];
      }
    }
  });
  return Tape::record("dropout", {x}, y, [mask](const Backward& b) {
    const Scalar *kept = mask.data(), *gy = b.output_grad().data();
    const GradTarget to = b[0].target();
    parallel_ranges(mask.size(), elementwise_grain, [&](Index begin, Index end) {
      for (Index i = begin; i < end; ++i) to.data[i] = (to.accumulate ? to.data[i] : Scalar(0)) + gy[i] * kept[i];
    });
  });
}

}  // namespace HANDRAIL_SCALAR_NAMESPACE
}  // namespace handrail
