#pragma once

#include <handrail/nn/module.h>

namespace handrail::nn {

/// Brings each row to mean 0 and variance 1, then computes weight * x + bias. x: [..., features], and so is the output.
/// See layer_norm() for the formula and the errors of forward.
class LayerNorm : public Layer {
 public:
  /// eps is added to the variance. Throws ShapeError when features is negative.
  explicit LayerNorm(Index features, double eps = 1e-5);
  Tensor forward(const Tensor& x) const override;
  std::vector<Operation> operations() const override;
  std::string settings() const override;

  const Tensor weight;  // [features], starts at 1
  const Tensor bias;    // [features], starts at 0

 private:
  double eps_;
};

/// The numbers of BatchNorm1d. The defaults are PyTorch's.
struct BatchNormOptions {
  double momentum = 0.1;  // the share of a batch's statistics in the new running statistics
  double eps = 1e-5;      // added to the variance
};

/// Brings each column to mean 0 and variance 1, then computes weight * x + bias. In training, mean and variance are
/// those of the batch; in evaluation, the running statistics. x: [N, features], and so is the output. See batch_norm()
/// for the formula and the errors of forward.
class BatchNorm1d : public Layer {
 public:
  /// features: the number of columns of x. Throws ShapeError when it is negative.
  explicit BatchNorm1d(Index features, BatchNormOptions options = {});
  Tensor forward(const Tensor& x) const override;
  std::vector<Operation> operations() const override;
  std::string settings() const override;
  bool normalises() const override { return true; }
  /// The share of a batch in the new running statistics.
  double momentum() const { return options_.momentum; }

  const Tensor weight;        // [features], starts at 1
  const Tensor bias;          // [features], starts at 0
  const Tensor running_mean;  // [features], starts at 0
  const Tensor running_var;   // [features], starts at 1

 private:
  BatchNormOptions options_;
};

}  // namespace handrail::nn
