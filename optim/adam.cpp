#include <handrail/optim/adam.h>

#include <cmath>
#include <sstream>

#include <handrail/core/error.h>
#include <handrail/core/kernels/kernels.h>

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

using kernels::AdamStep;

double update_adam(std::span<Scalar> weights, std::span<const Scalar> gradient, std::span<Scalar> first,
                   std::span<Scalar> second, const AdamStep& step) {
  return kernels_here().adam(step, gradient.data(), std::ssize(weights), weights.data(), first.data(), second.data());
}

// 1 - beta1^t and 1 / sqrt(1 - beta2^t).
std::array<double, 2> bias_corrections(const AdamOptions& o, std::int64_t t) {
  return {1 - power(o.beta1, t), 1 / std::sqrt(1 - power(o.beta2, t))};
}

// The worst that moderate figures come to, g = 1e12 + 1e4 1e12: v = g^2 = 1e32, m = g = 1e16, and with
// these bounds rate m^ / eps = 1e4 1e16 1e4 1e12 = 1e36, below the largest float of 3e38.
bool is_bounded(const AdamOptions& o) { return 1 - o.beta1 >= 1e-4 && o.eps >= 1e-12; }

AdamStep adam_step(const AdamOptions& o, double rate, double grad_scale, const std::array<double, 2>& corrections) {
  return {.beta1 = static_cast<Scalar>(o.beta1),
          .beta2 = static_cast<Scalar>(o.beta2),
          .gain1 = static_cast<Scalar>(1 - o.beta1),
          .gain2 = static_cast<Scalar>(1 - o.beta2),
          .scale = static_cast<Scalar>(grad_scale),
          .penalty = 0,
          .rate = static_cast<Scalar>(rate / corrections[0]),
          .correction = static_cast<Scalar>(corrections[1]),
          .eps = static_cast<Scalar>(o.eps),
          .keep = 1};
}

std::string settings_of(const char* name, const AdamOptions& o) {
  return concat(name, ", betas ", o.beta1, " and ", o.beta2, ", eps ", o.eps);
}

}  // namespace

AdamW::AdamW(std::vector<ParamGroup> groups, AdamOptions options)
    : Optimizer(std::move(groups), 2), options_(checked("AdamW", options)) {}

double AdamW::update_and_measure(const Piece& piece, const Step& step) const {
  AdamStep c = adam_step(options_, step.rate, step.grad_scale, step.corrections);
  c.keep = static_cast<Scalar>(1 - step.rate * step.weight_decay);
  return update_adam(piece.weights, piece.gradient, piece.slots[0], piece.slots[1], c);
}

Optimizer::Corrections AdamW::corrections(std::int64_t t) const { return bias_corrections(options_, t); }
std::string AdamW::settings() const { return settings_of(name(), options_); }
bool AdamW::bounded() const { return is_bounded(options_); }

Adam::Adam(std::vector<ParamGroup> groups, AdamOptions options)
    : Optimizer(std::move(groups), 2), options_(checked("Adam", options)) {}

double Adam::update_and_measure(const Piece& piece, const Step& step) const {
  AdamStep c = adam_step(options_, step.rate, step.grad_scale, step.corrections);
  c.penalty = static_cast<Scalar>(step.weight_decay);  // which is not clipped with the gradient
  return update_adam(piece.weights, piece.gradient, piece.slots[0], piece.slots[1], c);
}

Optimizer::Corrections Adam::corrections(std::int64_t t) const { return bias_corrections(options_, t); }
std::string Adam::settings() const { return settings_of(name(), options_); }
bool Adam::bounded() const { return is_bounded(options_); }

}  // namespace handrail::optim
