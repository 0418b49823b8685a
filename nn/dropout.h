#pragma once

#include <handrail/nn/module.h>

namespace handrail::nn {

/// In training, zeroes each element with probability p and divides the others by 1 - p; in evaluation, returns x
/// itself. x may have any shape. See dropout() for the errors of forward. A Trainer derives the masks from its seed. A
/// training loop of your own must give its tape a random position, as in Tape tape{Mode::train, {.seed = 42, .position
/// = step}}.
class Dropout : public Layer {
 public:
  /// Throws OptionError unless 0 <= p < 1.
  explicit Dropout(double p = 0.5);
  Tensor forward(const Tensor& x) const override;
  std::vector<Operation> operations() const override { return {}; }
  std::string settings() const override;

 private:
  double p_;
};

}  // namespace handrail::nn
