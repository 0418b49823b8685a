#pragma once

#include <handrail/optim/optimizer.h>

namespace handrail::optim {

struct AdamOptions {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
};

/// Adam with decoupled weight decay (Loshchilov and Hutter 2019, algorithm 2), always bias-corrected:
///   m = beta1 m + (1 - beta1) g,  v = beta2 v + (1 - beta2) g^2
///   w = w (1 - rate decay) - rate m^ / (sqrt(v^) + eps),  m^ = m / (1 - beta1^t), v^ = v / (1 - beta2^t)
class AdamW final : public Optimizer {
 public:
  using Options = AdamOptions;
  explicit AdamW(std::vector<ParamGroup> groups, AdamOptions options = {});
  const char* name() const override { return "AdamW"; }
  std::string settings() const override;
  double default_lr() const override { return 1e-3; }

 private:
  void update(const Piece& piece, const Step& step) const override { update_and_measure(piece, step); }
  double update_and_measure(const Piece& piece, const Step& step) const override;
  Corrections corrections(std::int64_t t) const override;
  bool bounded() const override;
  AdamOptions options_;
};

/// Adam (Kingma and Ba 2015, algorithm 1), always bias-corrected. Weight decay is an L2 penalty, added
/// to the gradient, as in PyTorch; AdamW is what is meant most of the time.
class Adam final : public Optimizer {
 public:
  using Options = AdamOptions;
  explicit Adam(std::vector<ParamGroup> groups, AdamOptions options = {});
  const char* name() const override { return "Adam"; }
  std::string settings() const override;
  double default_lr() const override { return 1e-3; }

 private:
  void update(const Piece& piece, const Step& step) const override { update_and_measure(piece, step); }
  double update_and_measure(const Piece& piece, const Step& step) const override;
  Corrections corrections(std::int64_t t) const override;
  bool bounded() const override;
  AdamOptions options_;
};

}  // namespace handrail::optim
