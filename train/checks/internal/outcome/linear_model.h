#pragma once

#include <vector>

#include <handrail/core/tensor.h>
#include <handrail/train/data/task.h>

namespace handrail::train {

/// A linear model with an intercept, fitted without an optimizer, as a yardstick for models that are trained. Inputs
/// are standardised by the rows it is fitted on, and cut at 5 standard deviations.
///   regression          ridge regression in closed form, penalty 1 + 0.01 N
///   binary, multiclass  logistic regression with that penalty, by Newton steps with the bound of the Hessian that
///                       does not change, so that one factorisation does for all (Boehning 1992)
/// The cost is about N D^2 for N rows and D columns.
class LinearModel {
 public:
  /// inputs: [N, ...], as D columns. targets: [N, ...] as the loss of the task takes them. outputs: classes of
  /// multiclass, or columns of the targets.
  LinearModel(const Tensor& inputs, const Tensor& targets, Task task, Index outputs);
  /// The predictions [N, outputs] for inputs [N, ...].
  Tensor predict(const Tensor& inputs) const;

 private:
  std::vector<double> standardised(const Tensor& inputs) const;
  void factorise(const std::vector<double>& x, Index rows, double scale, double penalty);
  void solve(std::vector<double>& right) const;

  Index columns_, outputs_;
  std::vector<double> mean_, scale_;  // of each column
  std::vector<double> factor_;        // the Cholesky factor of X'X times the scale, plus the penalty, lower
  std::vector<double> weights_;       // [columns + 1, outputs], the intercept last
};

}  // namespace handrail::train
