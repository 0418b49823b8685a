#pragma once

#include <exception>
#include <filesystem>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include <handrail/core/tape.h>
#include <handrail/nn/module.h>
#include <handrail/optim/optimizer.h>
#include <handrail/optim/schedule.h>
#include <handrail/train/guard.h>
#include <handrail/train/loader.h>
#include <handrail/train/loss.h>
#include <handrail/train/lr_finder.h>
#include <handrail/train/options.h>
#include <handrail/train/state.h>
#include <handrail/train/try_fix.h>

namespace handrail::train {

struct RunData;

/// What a training or validation step returns.
struct StepOutput {
  Tensor loss;              // one element, the mean over the samples
  Tensor predictions = {};  // for accuracy; may be undefined
  // Figures of your own, logged as train_NAME and val_NAME: means over the samples of the batch, which are
  // averaged over batches. What is no mean, such as F1, comes out a little different from that of all samples.
  std::vector<MetricValue> metrics = {};
};

/// Trains a model, safely by default:
///
///   train::Trainer trainer{model, cross_entropy, {.epochs = 10}};
///   const auto result = trainer.fit(train_set);
///   const auto test = trainer.evaluate(test_set);
///
/// A subclass overrides the virtual functions: training_step for losses and models of another kind,
/// configure_* for another optimizer or schedule, the on_* hooks to look on. What lies between the
/// loss and the update is sealed, so that no override can lose a protection.
///
/// The model must outlive the trainer. One thread at a time may use a trainer.
class Trainer {
 public:
  /// Throws OptionError listing everything that is wrong with the options.
  Trainer(nn::Layer& model, Loss loss, TrainerOptions options);
  /// For a subclass that overrides training_step; a model that is no Layer is welcome. The task says
  /// how its predictions are counted for accuracy.
  Trainer(nn::Module& model, TrainerOptions options, Task task = Task::regression);
  virtual ~Trainer();
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  /// Trains on the set; validation samples are split off as the options say. Whatever ends it, the
  /// model is left with the weights of the best evaluation, or with the last good ones without any. Weights
  /// with losses more than ten times as high as at the beginning are neither, unless guards.divergence is off.
  FitResult fit(const Dataset& train);
  FitResult fit(const Dataset& train, const Dataset& validation);
  /// Goes on with the run of that directory (or that of a checkpoint), from its newest valid checkpoint, on the same
  /// data: in the middle of an epoch if need be, and with the same bits as if it had never stopped. Throws
  /// CheckpointError when there is none, or listing all that is not as when the run began and not allowed to differ.
  FitResult resume(const std::filesystem::path& run_dir, const Dataset& train, const ResumeOptions& options = {});
  FitResult resume(const std::filesystem::path& run_dir, const Dataset& train, const Dataset& validation,
                   const ResumeOptions& options = {});

  /// Sweeps the rate over a copy of the run's start; the model is left as it was, exceptions or not. The
  /// suggestion is for the batch size and the epochs of these options: give it with lr_scaling = LrScaling::none.
  /// Without options the sweep is that of fit: up to 1, or 10 for SGD, in sweep_steps() steps, and once more in 200
  /// when noise hides what fewer show. Throws OptionError on options out of range.
  LrFinderResult find_lr(const Dataset& train);
  LrFinderResult find_lr(const Dataset& train, const LrFinderOptions& options);
  /// Trains from the last good state of the last fit, or from the model as it is, once unchanged and once
  /// with each of the fixes, on the same batches and random numbers; keeps in the options the fix whose
  /// validation loss is lowest, when it is lower beyond noise. The model is left as it was, exceptions or not.
  TryFixResult try_fix(const Dataset& train, const std::vector<Fix>& fixes, const TryFixOptions& options = {});
  TryFixResult try_fix(const Dataset& train, const Dataset& validation, const std::vector<Fix>& fixes,
                       const TryFixOptions& options = {});

  /// Means over the samples, in evaluation mode.
  Evaluation evaluate(const Dataset& data);
  /// The model's outputs for all samples [N, ...], in evaluation mode.
  Tensor predict(const Dataset& data);
  /// The same for inputs as the model takes them, [N, ...]: raw data must be normalised already.
  Tensor predict(const Tensor& inputs);

  /// Ends the training under way after this step, with reason `requested`: from a hook, say.
  void stop() { stop_requested_ = true; }

  const TrainerOptions& options() const { return options_; }
  /// The constants raw data is normalised with: given, or fitted by fit.
  const std::optional<Normalization>& normalization() const { return normalization_; }

 protected:
  /// The loss of one batch, on an active tape. Default: loss(model(inputs), targets).
  /// The LR finder, the checks, try_fix and the replay of a bad step call it too, and so does a look at
  /// whether the weights have gone astray, at evaluations and checkpoints: keep no count in it.
  virtual StepOutput training_step(const Batch& batch);
  /// The same without a tape. Default: training_step.
  virtual StepOutput validation_step(const Batch& batch);
  /// The outputs for inputs. Default: model(inputs).
  virtual Tensor predict_step(const Tensor& inputs);
  /// Default: options.optimizer or AdamW, with weight decay on weights only. Called once a run, and for each arm of
  /// try_fix.
  virtual std::unique_ptr<optim::Optimizer> configure_optimizer();
  /// The rate over the planned steps, peaking at `lr`. Default: warmup, then as options.decay says.
  virtual optim::Schedule configure_schedule(double lr, std::int64_t planned_steps);

  // Hooks; the defaults do nothing.
  virtual void on_fit_start() {}
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
  /// What to do about an anomaly; the default is what it proposes. A value that is not finite never
  /// reaches a parameter, whatever is answered.
  virtual Action on_anomaly(const Anomaly& anomaly) { return anomaly.action; }

  nn::Module& model() { return model_; }

 private:
  class Run;
  RunData split(const Dataset& train) const;
  std::int64_t warmup_steps(std::int64_t planned_steps) const;
  TryFixResult take_first(const std::vector<Fix>& fixes);
  TryFixResult try_fix(const RunData& data, const std::vector<Fix>& fixes, const TryFixOptions& options);
  /// Whether the loss is the library's own for the task, whose values have a known meaning.
  bool plain_loss() const { return loss_ && loss_->plain(); }
  static RunData given(const Dataset& train, const Dataset& validation);
  Evaluation evaluate(const Loader& loader, Index most_batches = std::numeric_limits<Index>::max());
  Loader eval_loader(const Dataset& data, std::vector<Index> rows) const;

  nn::Module& model_;
  Task task_;
  const nn::Layer* layer_ = nullptr;
  std::optional<Loss> loss_;
  TrainerOptions options_;
  std::optional<Normalization> normalization_;
  std::optional<TrainingState> known_good_;  // of the last fit
  bool stop_requested_ = false;
};

}  // namespace handrail::train
