#pragma once

#include <handrail/nn/module.h>

namespace handrail::nn {

/// Each row to mean 0 and variance 1, then weight * x + bias; see layer_norm(). x: [N, features].
class LayerNorm : public Layer {
 public:
  explicit LayerNorm(Index features, double eps = 1e-5);
  Tensor forward(const Tensor& x) const override;

  const Tensor weight;  // [features], starts at 1
  const Tensor bias;    // [features], starts at 0

 private:
  double eps_;
};

struct BatchNormOptions {
  double momentum = 0.1;  // of the running statistics
  double eps = 1e-5;
};

/// Each column to mean 0 and variance 1 over the batch in training, by the running statistics in
/// evaluation, then weight * x + bias; see batch_norm(). x: [N, features].
class BatchNorm1d : public Layer {
 public:
  explicit BatchNorm1d(Index features, BatchNormOptions options = {});
  Tensor forward(const Tensor& x) const override;

  const Tensor weight;        // [features], starts at 1
  const Tensor bias;          // [features], starts at 0
  const Tensor running_mean;  // [features], starts at 0
  const Tensor running_var;   // [features], starts at 1

 private:
  BatchNormOptions options_;
};

}  // namespace handrail::nn
