#pragma once

#include <concepts>
#include <functional>
#include <type_traits>
#include <utility>

#include <handrail/core/tensor.h>
#include <handrail/train/data/task.h>

namespace handrail::train {

class Loss;

/// Any function, lambda or function object Tensor(const Tensor& predictions, const Tensor& targets).
template <class F>
concept LossFunction = !std::same_as<F, Loss> && std::copy_constructible<F> &&
                       std::is_invocable_r_v<Tensor, F&, const Tensor&, const Tensor&>;

/// A loss of (predictions, targets) that returns a scalar. Made from any such function;
/// cross_entropy and binary_cross_entropy_with_logits bring their task along.
class Loss {
 public:
  using Function = Tensor(const Tensor& predictions, const Tensor& targets);

  Loss(Function* function);  // implicit: Trainer{model, cross_entropy, ...}
  Loss(Function* function, Task task);
  template <LossFunction F>
  Loss(F function, Task task = Task::regression) : function_(std::move(function)), task_(task) {}

  Tensor operator()(const Tensor& predictions, const Tensor& targets) const { return function_(predictions, targets); }
  Task task() const { return task_; }
  /// Whether it is cross_entropy, binary_cross_entropy_with_logits or mse_loss, whose values mean the same
  /// for every model.
  bool plain() const { return plain_; }

 private:
  std::function<Function> function_;
  Task task_;
  bool plain_ = false;
};

/// What cannot be a loss for a Trainer, whose first error then says so.
template <class T>
concept OtherThanLoss = !std::convertible_to<T, Loss>;

}  // namespace handrail::train
