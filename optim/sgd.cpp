#include <handrail/optim/sgd.h>

#include <algorithm>

#include <handrail/core/error.h>
#include <handrail/optim/magnitude.h>

namespace handrail::optim {

SGD::SGD(std::vector<ParamGroup> groups, SGDOptions options)
    : Optimizer(std::move(groups), options.momentum > 0 ? 1 : 0), options_(options) {
  if (!(options.momentum >= 0 && options.momentum < 1))
    fail<OptionError>("SGD: want momentum in [0, 1); got ", options.momentum);
  if (options.nesterov && options.momentum == 0) fail<OptionError>("SGD: want momentum > 0 with nesterov; got 0");
}

std::string SGD::settings() const {
  if (options_.momentum == 0) return name();
  return concat(name(), ", ", options_.nesterov ? "Nesterov " : "", "momentum ", options_.momentum);
}

double SGD::update_and_measure(const Piece& piece, const Step& step) const {
  const auto rate = static_cast<Scalar>(step.rate), decay = static_cast<Scalar>(step.weight_decay);
  const auto scale = static_cast<Scalar>(step.grad_scale), momentum = static_cast<Scalar>(options_.momentum);
  const std::size_t n = piece.weights.size();
  Scalar* __restrict w = piece.weights.data();
  const Scalar* __restrict g = piece.gradient.data();
  detail::Bits largest = 0;
  if (options_.momentum == 0) {
    for (std::size_t i = 0; i < n; ++i) {
      w[i] -= rate * (scale * g[i] + decay * w[i]);
      largest = std::max(largest, detail::magnitude(w[i]));
    }
    return detail::to_double(largest);
  }
  Scalar* __restrict u = piece.slots[0].data();
  const Scalar ahead = options_.nesterov ? momentum : Scalar(1), direct = options_.nesterov ? Scalar(1) : Scalar(0);
  for (std::size_t i = 0; i < n; ++i) {
    const Scalar grad = scale * g[i] + decay * w[i];
    u[i] = momentum * u[i] + grad;
    w[i] -= rate * (direct * grad + ahead * u[i]);
    largest = std::max({largest, detail::magnitude(w[i]), detail::magnitude(u[i])});
  }
  return detail::to_double(largest);
}

}  // namespace handrail::optim
