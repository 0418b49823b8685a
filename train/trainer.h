#pragma once

#include <concepts>
#include <exception>
#include <filesystem>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include <handrail/core/tape.h>
#include <handrail/nn/module.h>
#include <handrail/optim/optimizer.h>
#include <handrail/optim/schedule.h>
#include <handrail/train/checkpoints/state.h>
#include <handrail/train/data/loader.h>
#include <handrail/train/data/model_info.h>
#include <handrail/train/guards/guard.h>
#include <handrail/train/lr/lr_finder.h>
#include <handrail/train/run/loss.h>
#include <handrail/train/run/options.h>
#include <handrail/train/run/result.h>
#include <handrail/train/run/try_fix.h>

namespace handrail::train {

struct RunData;

/// What a training or validation step returns.
struct StepOutput {
  Tensor loss;              // one element, the mean over the samples
  Tensor predictions = {};  // [N, ...], for accuracy and metrics; may be undefined without
  // Means over the samples of the batch, such as the parts of a loss: logged as train_NAME and val_NAME, averaged over
  // batches. A metric that is not a mean over samples, such as F1, belongs in TrainerOptions::metrics.
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

  // Refused, with the reason where compilers quote it.
  template <class WrongOption = void>
  Trainer(nn::Layer&, Loss, ...) = delete;  // no option has this name and type: `TrainerOptions o{...};` says which
  template <std::derived_from<nn::Module> TemporaryModel>
  Trainer(const TemporaryModel&&, ...) = delete;  // the model must outlive the trainer: give it a name
  template <nn::OtherThanLayer NotALayer>
  Trainer(NotALayer&, const Loss&, const TrainerOptions&) = delete;  // want a model derived from nn::Layer
  template <OtherThanLoss NotALoss>
  Trainer(nn::Layer&, const NotALoss&, const TrainerOptions&) = delete;  // want a Tensor of (predictions, targets)

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

  /// Writes the model to a file with all that it needs to predict: weights, buffers, and model_info(). After fit those
  /// are the best weights. Throws CheckpointError as save_weights does.
  void save_model(const std::filesystem::path& path) const;
  /// Reads what save_model wrote, or a checkpoint of a run, then with the weights of its best evaluation, into this
  /// trainer's model, which is built as it was then. From here on evaluate and predict see raw data as training did.
  /// Throws CheckpointError, and then nothing has changed: for a damaged file, a model of other names or shapes, or one
  /// of another task.
  void load_model(const std::filesystem::path& path);

  /// The loss, the accuracy and options.metrics over all samples, in evaluation mode. Throws ShapeError when the
  /// predictions have another number of rows than the inputs, DataError naming the row of a target that is no class.
  /// OptionError for raw data, such as a ByteDataset, when the constants are not known that the model was trained with.
  Evaluation evaluate(const Dataset& data);
  /// The model's outputs for all samples [N, ...], in evaluation mode. Throws OptionError as evaluate does.
  Tensor predict(const Dataset& data);
  /// The same for inputs as the model takes them, [N, ...]: raw data must be normalised already.
  Tensor predict(const Tensor& inputs);

  /// Ends the training under way after this step, with reason `requested`: from a hook, say.
  void stop() { stop_requested_ = true; }

  const TrainerOptions& options() const { return options_; }
  /// What the model needs besides its weights: of the last fit or load_model; before, what the options give.
  const ModelInfo& model_info() const { return info_; }

 protected:
  /// The loss of one batch, on an active tape. Default: loss(model(inputs), targets).
  /// The LR finder, the checks, try_fix and the replay of a bad step call it too, and so does a look at
  /// whether training has diverged, at evaluations and checkpoints: keep no count in it.
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
  /// What to do about an anomaly; the default is what it proposes. A value that is not finite never
  /// reaches a parameter, whatever is answered.
  virtual Action on_anomaly(const Anomaly& anomaly) { return anomaly.action; }

  nn::Module& model() { return model_; }

 private:
  class Run;
  RunData split(const Dataset& train) const;
  void stratify(RunData& data) const;
  Loader eval_loader(Rows rows) const;
  void check_known(const Dataset& data, const char* function) const;
  std::int64_t warmup_steps(std::int64_t planned_steps) const;
  TryFixResult take_first(const std::vector<Fix>& fixes);
  TryFixResult try_fix(const RunData& data, const std::vector<Fix>& fixes, const TryFixOptions& options);
  /// Whether the loss is the library's own for the task, whose values have a known meaning.
  bool plain_loss() const { return loss_ && loss_->plain(); }
  static RunData given(const Dataset& train, const Dataset& validation);
  /// `poll` is called between batches; what it throws ends the evaluation.
  Evaluation evaluate(const Loader& loader, Index most_batches = std::numeric_limits<Index>::max(),
                      const std::function<void()>& poll = {});

  nn::Module& model_;
  const nn::Layer* layer_ = nullptr;
  std::optional<Loss> loss_;
  TrainerOptions options_;
  ModelInfo info_;
  std::optional<TrainingState> known_good_;  // of the last fit
  bool stop_requested_ = false;
};

}  // namespace handrail::train
