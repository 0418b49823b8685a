#pragma once

#include <optional>

#include <handrail/core/tensor.h>
#include <handrail/train/data/task.h>

namespace handrail::train {

/// The losses of the single samples of a batch. A guard asks for what it needs of them; nothing is computed otherwise.
class SampleLosses {
 public:
  virtual ~SampleLosses() = default;
  /// How far the loss of the batch comes from few samples: ln of the arithmetic over the geometric mean of the losses
  /// of the samples. It is 0 when all are equal, and about ln(k) more when one sample alone makes the loss k times as
  /// high. Nothing when it is not known.
  virtual std::optional<double> concentration() const = 0;
};

/// Computes them from the predictions, by the loss of the library for the task: cross_entropy,
/// binary_cross_entropy_with_logits or mse_loss. The tensors must outlive it.
class PredictedLosses final : public SampleLosses {
 public:
  /// predictions: the outputs of the model, such as logits. When one of the two is undefined,
  /// the losses are not known.
  PredictedLosses(Task task, const Tensor& predictions, const Tensor& targets)
      : task_(task), predictions_(predictions), targets_(targets) {}
  /// Nothing for shapes or targets that do not suit the loss. Takes no memory.
  std::optional<double> concentration() const override;

 private:
  Task task_;
  const Tensor& predictions_;
  const Tensor& targets_;
};

}  // namespace handrail::train
