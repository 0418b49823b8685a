#pragma once

#include <handrail/nn/module.h>

namespace handrail::nn {

// The activations of core/ops/ops.h as layers, for Sequential. They take x of any shape, act on each element, and have
// no parameters.

/// max(x, 0); see relu().
class ReLU : public Layer {
 public:
  Tensor forward(const Tensor& x) const override;
  std::vector<Operation> operations() const override;
};

/// tanh(x); see tanh().
class Tanh : public Layer {
 public:
  Tensor forward(const Tensor& x) const override;
  std::vector<Operation> operations() const override;
};

/// 1 / (1 + exp(-x)); see sigmoid().
class Sigmoid : public Layer {
 public:
  Tensor forward(const Tensor& x) const override;
  std::vector<Operation> operations() const override;
};

/// x * Phi(x), where Phi is the normal distribution function; see gelu().
class GELU : public Layer {
 public:
  Tensor forward(const Tensor& x) const override;
  std::vector<Operation> operations() const override;
};

/// log(1 + exp(x)); see softplus().
class Softplus : public Layer {
 public:
  Tensor forward(const Tensor& x) const override;
  std::vector<Operation> operations() const override;
};

/// Flattens each sample to one row: x [N, ...] -> [N, D], where D is the number of elements of a sample.
/// Throws ShapeError on a scalar.
class Flatten : public Layer {
 public:
  Tensor forward(const Tensor& x) const override;
  std::vector<Operation> operations() const override;
};

}  // namespace handrail::nn
