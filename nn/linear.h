#pragma once

#include <handrail/core/random.h>
#include <handrail/nn/module.h>

namespace handrail::nn {

/// Options of Linear.
struct LinearOptions {
  bool bias = true;  // false: y = x weight
};

/// y = x weight + bias. x: [..., in] -> [..., out]. Weight and bias start uniform in [-b, b] with b = 1 / sqrt(in), as
/// in PyTorch; nn::init has other initial values. forward throws ShapeError when the last dimension of x is not `in`.
class Linear : public Layer {
 public:
  /// Throws OptionError unless in and out are positive.
  Linear(Index in, Index out, Rng& rng, LinearOptions options = {});
  // Refused at compile time. The reason is in the line that compilers quote.
  template <class WantsAnRng = void>
  Linear(Index, Index, ...) = delete;  // want (in, out, rng) or (in, out, rng, options), after `Rng rng(42);`
  Tensor forward(const Tensor& x) const override;
  std::vector<Operation> operations() const override;

  const Tensor weight;  // [in, out]
  const Tensor bias;    // [out]; undefined without a bias
};

}  // namespace handrail::nn
