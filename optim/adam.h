#pragma once

#include <handrail/optim/optimizer.h>

namespace handrail::optim {

/// The numbers of Adam and AdamW. The defaults are PyTorch's.
struct AdamOptions {
  double beta1 = 0.9;    // of the moving average of the gradient
  double beta2 = 0.999;  // of the moving average of its square
  double eps = 1e-8;     // added to the denominator
};

/// Adam (Kingma and Ba 2015, algorithm 1), with bias correction:
///   m = beta1 m + (1 - beta1) g,  v = beta2 v + (1 - beta2) g^2
///   w = w - rate m^ / (sqrt(v^) + eps),  m^ = m / (1 - beta1^t),  v^ = v / (1 - beta2^t)
/// As in PyTorch, weight decay is an L2 penalty: decay * w is added to the gradient g. AdamW is usually preferred.
class Adam : public Optimizer {
 public:
  /// What train::with<optim::Adam>() takes.
  using Options = AdamOptions;
  /// Throws OptionError listing every problem: a beta outside [0, 1), eps not above 0, and those of Optimizer.
  explicit Adam(std::vector<ParamGroup> groups, AdamOptions options = {})
      : Adam(std::move(groups), options, WeightDecay::l2) {}
  const char* name() const override { return decay_ == WeightDecay::decoupled ? "AdamW" : "Adam"; }
  std::string settings() const override;
  std::vector<Hyperparameter> hyperparameters() const override {
    return {{"beta1", options_.beta1},
            {"beta2", options_.beta2},
            {"eps", options_.eps},
            {"scaled_penalty", decay_ == WeightDecay::l2 ? 1.0 : 0.0}};
  }
  double default_lr() const override { return 1e-3; }
  double max_lr() const override { return 1; }
  BatchScaling batch_scaling() const override { return BatchScaling::sqrt; }

 protected:
  /// Whether weight decay is a penalty in the gradient or acts on the weights alone.
  enum class WeightDecay { l2, decoupled };
  /// For a subclass with the other kind of weight decay. Throws what the public constructor throws.
  Adam(std::vector<ParamGroup> groups, AdamOptions options, WeightDecay decay);

 private:
  void update(const Piece& piece, const Step& step) const override { update_and_measure(piece, step); }
  double update_and_measure(const Piece& piece, const Step& step) const override;
  Corrections corrections(std::int64_t t) const override;
  bool bounded() const override;

  AdamOptions options_;
  WeightDecay decay_;
};

/// Adam with decoupled weight decay (Loshchilov and Hutter 2019, algorithm 2): the gradient has no penalty; instead
/// each step also multiplies w by 1 - rate * decay.
class AdamW final : public Adam {
 public:
  /// Throws what Adam throws.
  explicit AdamW(std::vector<ParamGroup> groups, AdamOptions options = {})
      : Adam(std::move(groups), options, WeightDecay::decoupled) {}
};

}  // namespace handrail::optim
