#pragma once

#include <handrail/optim/optimizer.h>

namespace handrail::optim {

/// The numbers of SGD. The defaults are PyTorch's.
struct SGDOptions {
  double momentum = 0;    // in [0, 1)
  bool nesterov = false;  // needs momentum above 0
};

/// Stochastic gradient descent as in PyTorch, with u = 0 at the start:
///   g = gradient + decay w,  u = momentum u + g
///   w = w - rate u, or with nesterov w = w - rate (g + momentum u) (Sutskever et al. 2013)
class SGD final : public Optimizer {
 public:
  /// What train::with<optim::SGD>() takes.
  using Options = SGDOptions;
  /// Throws OptionError unless momentum is in [0, 1), and above 0 with nesterov, and what Optimizer throws.
  explicit SGD(std::vector<ParamGroup> groups, SGDOptions options = {});
  const char* name() const override { return "SGD"; }
  std::string settings() const override;
  std::vector<Hyperparameter> hyperparameters() const override {
    return {{"momentum", options_.momentum}, {"penalty_in_gradient", 1.0}};
  }
  double default_lr() const override { return 1e-2; }

 private:
  void update(const Piece& piece, const Step& step) const override { update_and_measure(piece, step); }
  double update_and_measure(const Piece& piece, const Step& step) const override;
  bool bounded() const override { return true; }
  SGDOptions options_;
};

}  // namespace handrail::optim
