#include <handrail/optim/adam.h>

#include <cmath>

#include <handrail/core/error.h>
#include <handrail/core/system/internal/kernels.h>

namespace handrail::optim {

Adam::Adam(std::vector<ParamGroup> groups, AdamOptions options, WeightDecay decay)
    : Optimizer(std::move(groups), 2), options_(options), decay_(decay) {
  TextStream wrong;
  if (!(options.beta1 >= 0 && options.beta1 < 1)) wrong << "\n  want beta1 in [0, 1); got " << options.beta1;
  if (!(options.beta2 >= 0 && options.beta2 < 1)) wrong << "\n  want beta2 in [0, 1); got " << options.beta2;
  if (!(options.eps > 0)) wrong << "\n  want eps > 0; got " << options.eps;
  if (!wrong.str().empty()) fail<OptionError>(Adam::name(), ":", wrong.str());
}

std::string Adam::settings() const {
  return concat(name(), ", betas ", options_.beta1, " and ", options_.beta2, ", eps ", options_.eps);
}

double Adam::update_and_measure(const Piece& piece, const Step& step) const {
  const bool decoupled = decay_ == WeightDecay::decoupled;
  const kernels::AdamStep coefficients{
      .beta1 = static_cast<Scalar>(options_.beta1),
      .beta2 = static_cast<Scalar>(options_.beta2),
      .gain1 = static_cast<Scalar>(1 - options_.beta1),
      .gain2 = static_cast<Scalar>(1 - options_.beta2),
      .scale = static_cast<Scalar>(step.grad_scale),
      .penalty = decoupled ? Scalar(0) : static_cast<Scalar>(step.weight_decay),  // not clipped with the gradient
      .rate = static_cast<Scalar>(step.rate / step.corrections[0]),
      .correction = static_cast<Scalar>(step.corrections[1]),
      .eps = static_cast<Scalar>(options_.eps),
      .keep = decoupled ? static_cast<Scalar>(1 - step.rate * step.weight_decay) : Scalar(1)};
  return kernels_here().adam(coefficients, piece.gradient.data(), std::ssize(piece.weights), piece.weights.data(),
                             piece.slots[0].data(), piece.slots[1].data());
}

// 1 - beta1^t and 1 / sqrt(1 - beta2^t).
Optimizer::Corrections Adam::corrections(std::int64_t t) const {
  return {1 - power(options_.beta1, t), 1 / std::sqrt(1 - power(options_.beta2, t))};
}

// At the limits of moderate values, the gradient with its penalty is 1e12 + 1e4 * 1e12, about 1e16. Then m is at most
// 1e16 and v at most 1e32. With the bounds below, 1 / (1 - beta1^t) is at most 1e4, so rate * m^ / eps is at most 1e4 *
// 1e16 * 1e4 * 1e12 = 1e36, and the largest float is 3e38.
bool Adam::bounded() const { return 1 - options_.beta1 >= 1e-4 && options_.eps >= 1e-12; }

}  // namespace handrail::optim
