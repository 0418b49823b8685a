#include <handrail/train/checks/internal/outcome/linear_model.h>

#include <algorithm>
#include <cmath>

namespace handrail::train {
namespace {

constexpr int newton_steps = 12;

// Replaces the scores of one row by the probabilities of the classes; of a single score, by that of class 1.
void to_probabilities(double* scores, Index outputs, Task task) {
  if (task == Task::binary) {
    for (Index k = 0; k < outputs; ++k) scores[k] = 1 / (1 + std::exp(-scores[k]));
    return;
  }
  const double top = *std::max_element(scores, scores + outputs);
  double sum = 0;
  for (Index k = 0; k < outputs; ++k) sum += scores[k] = std::exp(scores[k] - top);
  for (Index k = 0; k < outputs; ++k) scores[k] /= sum;
}

// y += a x for n elements.
void add_multiple(double a, const double* x, double* y, Index n) {
  for (Index i = 0; i < n; ++i) y[i] += a * x[i];
}

}  // namespace

LinearModel::LinearModel(const Tensor& inputs, const Tensor& targets, Task task, Index outputs)
    : columns_(inputs.size() / inputs.shape()[0]), outputs_(outputs) {
  const Index rows = inputs.shape()[0];
  const auto n = static_cast<double>(rows);
  mean_.assign(static_cast<std::size_t>(columns_), 0);
  scale_ = mean_;
  for (Index i = 0; i < inputs.size(); ++i)
    mean_[static_cast<std::size_t>(i % columns_)] += static_cast<double>(inputs.data()[i]) / n;
  for (Index i = 0; i < inputs.size(); ++i) {
    const auto j = static_cast<std::size_t>(i % columns_);
    scale_[j] += std::pow(static_cast<double>(inputs.data()[i]) - mean_[j], 2) / n;
  }
  for (double& scale : scale_) scale = scale > 1e-12 ? 1 / std::sqrt(scale) : 0;
  const std::vector<double> x = standardised(inputs);
  const Index width = columns_ + 1;
  weights_.assign(static_cast<std::size_t>(width * outputs_), 0);
  const double penalty = 1 + 0.01 * n;
  const bool classes = task != Task::regression;
  factorise(x, rows, !classes ? 1 : task == Task::binary ? 0.25 : 0.5, penalty);
  std::vector<double> left(static_cast<std::size_t>(rows * outputs_)), gradient;
  for (int step = 0; step < (classes ? newton_steps : 1); ++step) {
    // What the present model leaves of the targets.
    std::ranges::fill(left, 0.0);
    for (Index i = 0; i < rows; ++i) {
      double* row = left.data() + i * outputs_;
      for (Index j = 0; j < width; ++j)
        add_multiple(x[static_cast<std::size_t>(i * width + j)], weights_.data() + j * outputs_, row, outputs_);
      if (classes) to_probabilities(row, outputs_, task);
      for (Index k = 0; k < outputs_; ++k) {
        const double target = task == Task::multiclass ? (static_cast<Index>(targets.data()[i]) == k ? 1.0 : 0.0)
                                                       : static_cast<double>(targets.data()[i * outputs_ + k]);
        row[k] = target - row[k];
      }
    }
    gradient.assign(weights_.size(), 0);
    for (Index j = 0; j < columns_; ++j)  // the intercept has no penalty
      add_multiple(-penalty, weights_.data() + j * outputs_, gradient.data() + j * outputs_, outputs_);
    for (Index i = 0; i < rows; ++i)
      for (Index j = 0; j < width; ++j)
        add_multiple(x[static_cast<std::size_t>(i * width + j)], left.data() + i * outputs_,
                     gradient.data() + j * outputs_, outputs_);
    solve(gradient);
    for (std::size_t w = 0; w < weights_.size(); ++w) weights_[w] += gradient[w];
  }
}

Tensor LinearModel::predict(const Tensor& inputs) const {
  const Index rows = inputs.shape()[0], width = columns_ + 1;
  const std::vector<double> x = standardised(inputs);
  Tensor result({rows, outputs_});
  Scalar* to = result.mutable_data();
  std::vector<double> row(static_cast<std::size_t>(outputs_));
  for (Index i = 0; i < rows; ++i) {
    std::ranges::fill(row, 0.0);
    for (Index j = 0; j < width; ++j)
      add_multiple(x[static_cast<std::size_t>(i * width + j)], weights_.data() + j * outputs_, row.data(), outputs_);
    for (const double value : row) *to++ = static_cast<Scalar>(value);
  }
  return result;
}

// The rows with standardised columns, and a column of ones.
std::vector<double> LinearModel::standardised(const Tensor& inputs) const {
  constexpr double cut = 5;
  const Index rows = inputs.shape()[0];
  std::vector<double> x;
  x.reserve(static_cast<std::size_t>(rows * (columns_ + 1)));
  for (Index i = 0; i < rows; ++i) {
    for (Index j = 0; j < columns_; ++j) {
      const auto c = static_cast<std::size_t>(j);
      x.push_back(std::clamp((static_cast<double>(inputs.data()[i * columns_ + j]) - mean_[c]) * scale_[c], -cut, cut));
    }
    x.push_back(1);
  }
  return x;
}

void LinearModel::factorise(const std::vector<double>& x, Index rows, double scale, double penalty) {
  const Index width = columns_ + 1;
  const auto at = [width](Index i, Index j) { return static_cast<std::size_t>(i * width + j); };
  factor_.assign(static_cast<std::size_t>(width * width), 0);
  for (Index r = 0; r < rows; ++r)
    for (Index i = 0; i < width; ++i)
      add_multiple(scale * x[at(r, i)], x.data() + r * width, factor_.data() + i * width, i + 1);
  for (Index i = 0; i < width; ++i) factor_[at(i, i)] += i < columns_ ? penalty : 1e-6;
  for (Index i = 0; i < width; ++i)
    for (Index j = 0; j <= i; ++j) {
      double sum = factor_[at(i, j)];
      for (Index k = 0; k < j; ++k) sum -= factor_[at(i, k)] * factor_[at(j, k)];
      factor_[at(i, j)] = i == j ? std::sqrt(std::max(sum, 1e-12)) : sum / factor_[at(j, j)];
    }
}

// Replaces the right side [columns + 1, outputs] by the solution.
void LinearModel::solve(std::vector<double>& right) const {
  const Index width = columns_ + 1;
  const auto row = [&](Index i) { return right.data() + i * outputs_; };
  const auto divide = [&](Index i) {
    for (Index k = 0; k < outputs_; ++k) row(i)[k] /= factor_[static_cast<std::size_t>(i * width + i)];
  };
  for (Index i = 0; i < width; ++i) {
    for (Index j = 0; j < i; ++j)
      add_multiple(-factor_[static_cast<std::size_t>(i * width + j)], row(j), row(i), outputs_);
    divide(i);
  }
  for (Index i = width; i-- > 0;) {
    for (Index j = i + 1; j < width; ++j)
      add_multiple(-factor_[static_cast<std::size_t>(j * width + i)], row(j), row(i), outputs_);
    divide(i);
  }
}

}  // namespace handrail::train
