#pragma once

#include <handrail/core/random.h>
#include <handrail/nn/module.h>

namespace handrail::nn {

struct LinearOptions {
  bool bias = true;
};

/// y = x W + b. x: [N, in] -> [N, out].
/// Weight and bias start uniform in +-1/sqrt(in), as in PyTorch; nn::init has other initial values.
class Linear : public Layer {
 public:
  /// Throws OptionError unless in and out are positive.
  Linear(Index in, Index out, Rng& rng, LinearOptions options = {});
  template <class WantsAnRng = void>
  Linear(Index, Index, ...) = delete;  // want (in, out, rng) or (in, out, rng, options), after `Rng rng(42);`
  Tensor forward(const Tensor& x) const override;

  const Tensor weight;  // [in, out]
  const Tensor bias;    // [out], or undefined
};

}  // namespace handrail::nn
