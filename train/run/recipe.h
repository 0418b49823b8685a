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

/// What a training or validation step returns.
struct StepOutput {
  Tensor loss;              // one element, the mean over the samples
  Tensor predictions = {};  // [N, ...], for accuracy and metrics; may be undefined without
  // Means over the samples of the batch, such as the parts of a loss: logged as train_NAME and val_NAME, averaged over
  // batches. A metric that is not a mean over samples, such as F1, belongs in TrainerOptions::metrics.
  std::vector<MetricValue> metrics = {};
};

/// What a subclass of Trainer may override: the steps, the parts of the training, and hooks to look on. What lies
/// between the loss and the update is sealed, so that no override can lose a protection.
class Recipe {
 public:
  Recipe(const Recipe&) = delete;
  Recipe& operator=(const Recipe&) = delete;
  virtual ~Recipe() = default;

  /// The loss of one batch, on an active tape. Default: loss(model(inputs), targets).
  /// The LR finder, the checks, try_fix and the replay of a bad step call it too, and so does a look at
  /// whether training has diverged, at evaluations and checkpoints: keep no count in it.
  virtual StepOutput training_step(const Batch& batch) = 0;
  /// The same without a tape. Default: training_step.
  virtual StepOutput validation_step(const Batch& batch) = 0;
  /// The outputs for inputs. Default: model(inputs).
  virtual Tensor predict_step(const Tensor& inputs) = 0;
  /// Default: options.optimizer or AdamW, with weight decay on weights only. Called once a run, and for each arm of
  /// try_fix.
  virtual std::unique_ptr<optim::Optimizer> configure_optimizer() = 0;
  /// The rate over the planned steps, peaking at `lr`. Default: warmup, then as options.decay says.
  virtual optim::Schedule configure_schedule(double lr, std::int64_t planned_steps) = 0;
  /// Guards of your own, which watch besides those of options.guards. Called once a run, and for each arm of try_fix.
  /// Their names must differ from each other and from those of the library: OptionError. Default: none.
  virtual std::vector<std::unique_ptr<Guard>> configure_guards() { return {}; }

  // Hooks; the defaults do nothing.
  virtual void on_fit_start() {}    // before the checks and the choice of the rate
  virtual void on_train_start() {}  // after them, before the first step
  virtual void on_epoch_start(Index /*epoch*/) {}
  virtual void on_step_start(std::int64_t /*step*/) {}
  virtual void on_step_end(const StepStats&) {}
  virtual void on_log(const StepStats&, const LayerReport&) {}  // every log_every_n_steps
  virtual void on_validation_start() {}
  virtual void on_validation_end(const EvaluationStats&) {}
  virtual void on_epoch_end(const EpochStats&) {}
  virtual void on_checkpoint(const std::filesystem::path&) {}
  virtual void on_exception(const std::exception_ptr&) {}
  virtual void on_fit_end(const FitResult&) {}  // also when fit throws
  /// What to do about an anomaly; the default is what it proposes. Whatever is answered, a value that is not finite
  /// never reaches a parameter.
  virtual Action on_anomaly(const Anomaly& anomaly) { return anomaly.action; }

 protected:
  Recipe() = default;
};

}  // namespace handrail::train
