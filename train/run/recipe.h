#pragma once

#include <cstdint>
#include <exception>
#include <filesystem>
#include <memory>
#include <vector>

#include <handrail/core/tensor.h>
#include <handrail/optim/optimizer.h>
#include <handrail/optim/schedule.h>
#include <handrail/train/data/dataset.h>
#include <handrail/train/guards/guard.h>
#include <handrail/train/run/result.h>

namespace handrail::train {

/// The result of a training or validation step.
struct StepOutput {
  Tensor loss;              // one element: the mean over the samples of the batch
  Tensor predictions = {};  // [N, ...], for accuracy and metrics; undefined when there are none
  // Means over the samples of the batch, such as the parts of a loss. They are averaged over all samples of an epoch or
  // evaluation and logged as train_NAME and val_NAME. A metric that is not a mean over samples, such as F1, belongs in
  // TrainerOptions::metrics.
  std::vector<MetricValue> metrics = {};
};

/// The functions that a subclass of Trainer may override: the steps, the makers of optimizer, schedule and guards, and
/// hooks. Everything between the loss and the update is fixed: an override cannot let a NaN reach a parameter.
class Recipe {
 public:
  Recipe(const Recipe&) = delete;
  Recipe& operator=(const Recipe&) = delete;
  virtual ~Recipe() = default;

  /// Computes the loss of one batch while a tape records. Default: loss(model(inputs), targets).
  /// Do not count calls in it: the LR finder, the checks, try_fix, verify_steps, the replay of a step that is not
  /// finite, and the test whether training has diverged call it too.
  virtual StepOutput training_step(const Batch& batch) = 0;
  /// Computes the loss of one batch of the validation set. No tape records. Default: training_step.
  virtual StepOutput validation_step(const Batch& batch) = 0;
  /// Returns the outputs [N, ...] for the inputs [N, ...]. No tape records. Default: model(inputs).
  virtual Tensor predict_step(const Tensor& inputs) = 0;
  /// Makes the optimizer. Called once per run and once for each arm of try_fix. Default: options.optimizer, or AdamW
  /// when that is empty, with weight decay as options.weight_decay and options.decay_exempt say.
  virtual std::unique_ptr<optim::Optimizer> configure_optimizer() = 0;
  /// Makes the function from the step, 1 to planned_steps, to the learning rate, whose peak is `lr`. Default: a linear
  /// warmup, then options.decay.
  virtual optim::Schedule configure_schedule(double lr, std::int64_t planned_steps) = 0;
  /// Makes guards of your own, in addition to those of options.guards. Called once per run and once for each arm of
  /// try_fix. fit throws OptionError when two guards have the same name, or one has a name that the library uses.
  /// Default: none.
  virtual std::vector<std::unique_ptr<Guard>> configure_guards() { return {}; }

  // Hooks. The defaults do nothing. What they throw ends the run and is thrown by fit.
  virtual void on_fit_start() {}    // before the checks and the LR finder
  virtual void on_train_start() {}  // after them, right before the first step
  /// Called before the first batch of an epoch, from 1; not when a resumed run continues in the middle of it.
  virtual void on_epoch_start(Index /*epoch*/) {}
  /// Called before the forward pass, with the number of the update, from 1. After a refused update it comes again.
  virtual void on_step_start(std::int64_t /*step*/) {}
  /// Called after every step, whether its update was made or not: see StepStats::updated.
  virtual void on_step_end(const StepStats&) {}
  virtual void on_log(const StepStats&, const LayerReport&) {}  // every log_every_n_steps
  /// Called before every evaluation on the validation set.
  virtual void on_validation_start() {}
  /// Called after every evaluation on the validation set, unless a signal interrupted it.
  virtual void on_validation_end(const EvaluationStats&) {}
  /// Called after the last step of an epoch and its evaluation, before its checkpoint.
  virtual void on_epoch_end(const EpochStats&) {}
  /// Called with the path of every checkpoint but the first one, which is written before training.
  virtual void on_checkpoint(const std::filesystem::path&) {}
  /// Called with the exception that ends the run, which fit then throws. What this hook throws is ignored.
  virtual void on_exception(const std::exception_ptr&) {}
  virtual void on_fit_end(const FitResult&) {}  // also when fit throws
  /// Returns what is done about an anomaly. Default: the action that it proposes. No answer lets a value that is not
  /// finite reach a parameter, unless guards.non_finite is off.
  virtual Action on_anomaly(const Anomaly& anomaly) { return anomaly.action; }

 protected:
  Recipe() = default;
};

}  // namespace handrail::train
