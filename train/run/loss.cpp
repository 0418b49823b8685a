#include <handrail/train/run/loss.h>

#include <algorithm>
#include <cmath>

#include <handrail/core/ops/ops.h>

namespace handrail::train {

Loss::Loss(Function* function)
    : function_(function),
      task_(function == &cross_entropy                      ? Task::multiclass
            : function == &binary_cross_entropy_with_logits ? Task::binary
                                                            : Task::regression),
      plain_(task_ != Task::regression || function == &mse_loss),
      distance_(function == &mse_loss || function == &l1_loss || function == static_cast<Function*>(&huber_loss)) {}

Loss::Loss(Function* function, Task task) : Loss(function) {
  plain_ = plain_ && task == task_;
  distance_ = distance_ && task == task_;
  task_ = task;
}

Tensor Loss::weighted(const Tensor& predictions, const Tensor& targets, const std::vector<double>& weights) const {
  const Shape& shape = predictions.shape();
  const auto weight = [&](std::size_t c) { return c < weights.size() ? weights[c] : 1.0; };
  const auto share = [&](double rows) { return static_cast<Scalar>(rows / static_cast<double>(targets.size())); };
  if (task_ == Task::multiclass) {
    if (shape.rank() != 2 || targets.shape() != Shape{shape[0]}) return function_(predictions, targets);  // throws
    const Tensor shares = Tensor::zeros(shape);
    for (Index i = 0; i < shape[0]; ++i) {
      const Scalar target = targets.data()[i];
      const bool is_class = target >= 0 && target < static_cast<Scalar>(shape[1]) && target == std::floor(target);
      if (!is_class) return function_(predictions, targets);  // throws
      const auto c = static_cast<std::size_t>(target);
      shares.mutable_data()[i * shape[1] + static_cast<Index>(c)] = share(weight(c));
    }
    return -sum(log_softmax(predictions) * shares);
  }
  const bool has_targets = std::ranges::all_of(targets.span(), [](Scalar t) { return t >= 0 && t <= 1; });
  if (shape != targets.shape() || targets.size() == 0 || !has_targets)
    return function_(predictions, targets);  // throws
  const Tensor ones(shape), zeros(shape);
  for (Index i = 0; i < targets.size(); ++i) {
    const auto target = static_cast<double>(targets.data()[i]);
    ones.mutable_data()[i] = share(weight(1) * target);
    zeros.mutable_data()[i] = share(weight(0) * (1 - target));
  }
  return sum(softplus(-predictions) * ones) + sum(softplus(predictions) * zeros);
}

}  // namespace handrail::train
