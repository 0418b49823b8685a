#include <handrail/optim/adam.h>

#include <cmath>
#include <sstream>

#include <handrail/core/error.h>

namespace handrail::optim {
namespace {

AdamOptions checked(const char* name, AdamOptions options) {
  std::ostringstream wrong;
  if (!(options.beta1 >= 0 && options.beta1 < 1)) wrong << "\n  want beta1 in [0, 1); got " << options.beta1;
  if (!(options.beta2 >= 0 && options.beta2 < 1)) wrong << "\n  want beta2 in [0, 1); got " << options.beta2;
  if (!(options.eps > 0)) wrong << "\n  want eps > 0; got " << options.eps;
  if (!wrong.str().empty()) fail<OptionError>(name, ":", wrong.str());
  return options;
}

struct Coefficients {
  Scalar beta1, beta2;
  Scalar gain1, gain2;  // of g and g^2: 1 - beta
  Scalar scale;         // of the gradient: in the gains, its square would vanish in float
  Scalar penalty;       // of the weight in the gradient
  Scalar rate;          // over the bias correction of m
  Scalar correction;    // 1 / sqrt(1 - beta2^t)
  Scalar eps;
  Scalar keep;  // of the weight: 1 - rate * decay
};

void update_adam(std::span<Scalar> weights, std::span<const Scalar> gradient, std::span<Scalar> first,
                 std::span<Scalar> second, const Coefficients& c) {
  Scalar* __restrict w = weights.data();
  const Scalar* __restrict g = gradient.data();
  Scalar* __restrict m = first.data();
  Scalar* __restrict v = second.data();
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const Scalar grad = c.scale * g[i] + c.penalty * w[i];
    m[i] = c.beta1 * m[i] + c.gain1 * grad;
    v[i] = c.beta2 * v[i] + c.gain2 * grad * grad;
    w[i] = c.keep * w[i] - c.rate * m[i] / (std::sqrt(v[i]) * c.correction + c.eps);
  }
}

Coefficients coefficients(const AdamOptions& o, double rate, double grad_scale, std::int64_t t) {
  return {.beta1 = static_cast<Scalar>(o.beta1),
          .beta2 = static_cast<Scalar>(o.beta2),
          .gain1 = static_cast<Scalar>(1 - o.beta1),
          .gain2 = static_cast<Scalar>(1 - o.beta2),
          .scale = static_cast<Scalar>(grad_scale),
          .penalty = 0,
          .rate = static_cast<Scalar>(rate / (1 - power(o.beta1, t))),
          .correction = static_cast<Scalar>(1 / std::sqrt(1 - power(o.beta2, t))),
          .eps = static_cast<Scalar>(o.eps),
          .keep = 1};
}

}  // namespace

AdamW::AdamW(std::vector<ParamGroup> groups, AdamOptions options)
    : Optimizer(std::move(groups), 2), options_(checked("AdamW", options)) {}

void AdamW::update(const Piece& piece, const Step& step) const {
  Coefficients c = coefficients(options_, step.rate, step.grad_scale, step.t);
  c.keep = static_cast<Scalar>(1 - step.rate * step.weight_decay);
  update_adam(piece.weights, piece.gradient, piece.slots[0], piece.slots[1], c);
}

Adam::Adam(std::vector<ParamGroup> groups, AdamOptions options)
    : Optimizer(std::move(groups), 2), options_(checked("Adam", options)) {}

void Adam::update(const Piece& piece, const Step& step) const {
  Coefficients c = coefficients(options_, step.rate, step.grad_scale, step.t);
  c.penalty = static_cast<Scalar>(step.weight_decay);  // which is not clipped with the gradient
  update_adam(piece.weights, piece.gradient, piece.slots[0], piece.slots[1], c);
}

}  // namespace handrail::optim
