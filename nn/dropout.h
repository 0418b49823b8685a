#pragma once

#include <handrail/nn/module.h>

namespace handrail::nn {

/// Zeroes elements with probability p in training and passes x on in evaluation; see dropout().
/// Under a Trainer the masks follow from its seed; a loop of your own makes its tape with a random
/// position: Tape tape{Mode::train, {.seed = 42, .position = step}}.
class Dropout : public Layer {
 public:
  /// Throws OptionError unless 0 <= p < 1.
  explicit Dropout(double p = 0.5);
  Tensor forward(const Tensor& x) const override;

 private:
  double p_;
};

}  // namespace handrail::nn
