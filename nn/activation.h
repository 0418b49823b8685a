#pragma once

#include <handrail/nn/module.h>

namespace handrail::nn {

/// The activations of core/ops/ops.h as layers, for Sequential.
class ReLU : public Layer {
 public:
  Tensor forward(const Tensor& x) const override;
};
class Tanh : public Layer {
 public:
  Tensor forward(const Tensor& x) const override;
};
class Sigmoid : public Layer {
 public:
  Tensor forward(const Tensor& x) const override;
};
class GELU : public Layer {
 public:
  Tensor forward(const Tensor& x) const override;
};
class Softplus : public Layer {
 public:
  Tensor forward(const Tensor& x) const override;
};

/// [N, ...] -> [N, D]: each sample as one row.
class Flatten : public Layer {
 public:
  Tensor forward(const Tensor& x) const override;
};

}  // namespace handrail::nn
