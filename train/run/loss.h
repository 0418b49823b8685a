#pragma once

#include <concepts>
#include <functional>
#include <type_traits>
#include <utility>
#include <vector>

#include <handrail/core/tensor.h>
#include <handrail/train/data/task.h>

namespace handrail::train {

class Loss;

/// A function, lambda or function object that can be called as Tensor(const Tensor& predictions, const Tensor&
/// targets).
template <class F>
concept LossFunction = !std::same_as<F, Loss> && std::copy_constructible<F> &&
                       std::is_invocable_r_v<Tensor, F&, const Tensor&, const Tensor&>;

/// A loss function. It takes predictions and targets and returns a tensor of one element, the mean over the samples.
/// Any LossFunction converts to it. The task is multiclass for cross_entropy, binary for
/// binary_cross_entropy_with_logits, and regression for every other function, unless it is given.
class Loss {
 public:
  /// The type of cross_entropy and the other losses of the library.
  using Function = Tensor(const Tensor& predictions, const Tensor& targets);

  Loss(Function* function);  // implicit, for Trainer{model, cross_entropy, ...}
  /// A loss for another task than its own, or for the task of your function.
  Loss(Function* function, Task task);
  /// Any other LossFunction, which is copied or moved into the loss.
  template <LossFunction F>
  Loss(F function, Task task = Task::regression) : function_(std::move(function)), task_(task) {}

  /// Calls the function, so that the active tape records its ops. Throws what the function throws.
  Tensor operator()(const Tensor& predictions, const Tensor& targets) const { return function_(predictions, targets); }
  /// The loss in which a row of class c counts weights[c] times: the sum of these over the rows, divided by the number
  /// of rows. A class beyond the weights counts once. A target t in [0, 1] of Task::binary is t rows of class 1 and 1 -
  /// t rows of class 0. For losses that are plain() and no regression. Throws what the loss throws.
  Tensor weighted(const Tensor& predictions, const Tensor& targets, const std::vector<double>& weights) const;
  /// The task, which says how predictions are counted for the accuracy.
  Task task() const { return task_; }
  /// Whether it is cross_entropy, binary_cross_entropy_with_logits or mse_loss, with the task of that function. Checks
  /// that compare a loss with that of a guess or of a constant are made for these only.
  bool plain() const { return plain_; }
  /// Whether it is mse_loss, l1_loss or huber_loss of a regression: a distance, which stays the same when a constant is
  /// added to predictions and targets.
  bool is_distance() const { return distance_; }

 private:
  std::function<Function> function_;
  Task task_;
  bool plain_ = false, distance_ = false;
};

/// A type that does not convert to Loss. Trainer has a deleted constructor for it, so that the compiler names the
/// reason.
template <class T>
concept OtherThanLoss = !std::convertible_to<T, Loss>;

}  // namespace handrail::train
