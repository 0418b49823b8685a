#include <handrail/optim/sgd.h>

#include <iterator>

#include <handrail/core/error.h>
#include <handrail/core/system/internal/kernels.h>

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
  const auto momentum = static_cast<Scalar>(options_.momentum);
  const kernels::SgdStep s{.scale = static_cast<Scalar>(step.grad_scale),
                           .penalty = static_cast<Scalar>(step.weight_decay),
                           .rate = static_cast<Scalar>(step.rate),
                           .momentum = momentum,
                           .direct = options_.nesterov ? Scalar(1) : Scalar(0),
                           .ahead = options_.nesterov ? momentum : Scalar(1)};
  const Scalar* g = piece.gradient.data();
  const Index size = std::ssize(piece.weights);
  Scalar* w = piece.weights.data();
  if (options_.momentum == 0) return kernels_here().sgd(s, g, size, w);
  return kernels_here().sgd_momentum(s, g, size, w, piece.slots[0].data());
}

}  // namespace handrail::optim
