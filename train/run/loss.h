#pragma once

#include <concepts>
#include <functional>
#include <type_traits>
#include <utility>

#include <handrail/core/tensor.h>

namespace handrail::train {

/// What predictions and targets are: how they become classes, and what the accuracy means.
enum class Task {
  /// Logits [N, C] against class indices [N]. The prediction is the largest logit, the first of several equal ones.
  /// The accuracy is the share of right rows. A target that is no whole number in [0, C) is a DataError.
  multiclass,
  /// Logits against targets in [0, 1] of the same shape: [N], [N, 1], or several labels a row, [N, L]. A logit above
  /// 0 predicts class 1, and a target above 0.5 is class 1: a soft target of 0.3 is class 0. The accuracy is the
  /// share of right elements, all N * L of them, as in Keras' BinaryAccuracy: half of the labels right is 0.5,
  /// though no row may be right as a whole. A target outside [0, 1] is a DataError.
  binary,
  /// Values. There is no accuracy; see R2, Mae and Rmse.
  regression,
};
const char* to_string(Task task);

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
