#pragma once

#include <concepts>
#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include <handrail/core/tape.h>
#include <handrail/nn/module.h>
#include <handrail/optim/optimizer.h>
#include <handrail/optim/schedule.h>
#include <handrail/train/data/loader.h>
#include <handrail/train/data/model_info.h>
#include <handrail/train/lr/lr_finder.h>
#include <handrail/train/run/last_run.h>
#include <handrail/train/run/loss.h>
#include <handrail/train/run/options.h>
#include <handrail/train/run/recipe.h>
#include <handrail/train/run/result.h>
#include <handrail/train/run/try_fix.h>

/// Data sets, losses, metrics, guards, checkpoints, and the Trainer, which uses all of them.
namespace handrail::train {

struct Program;

/// Trains a model, safely by default:
///
///   train::Trainer trainer{model, cross_entropy, {.epochs = 10}};
///   const auto result = trainer.fit(train_set);
///   const auto test = trainer.evaluate(test_set);
///
/// A subclass overrides the virtual functions of Recipe: training_step for losses and models of another kind,
/// configure_* for another optimizer, another schedule or guards of its own, on_* to follow the run. Everything between
/// the loss and the update is fixed: an override cannot let a NaN reach a parameter.
///
/// The model must outlive the trainer. One thread at a time may use a trainer.
class Trainer : protected Recipe {
 public:
  /// Throws OptionError listing everything that is wrong with the options.
  Trainer(nn::Layer& model, Loss loss, TrainerOptions options);
  /// For a subclass that overrides training_step. The model need not be a Layer. The task says how predictions are
  /// counted for the accuracy. Throws OptionError listing everything that is wrong with the options.
  Trainer(nn::Module& model, TrainerOptions options, Task task = Task::regression);
  ~Trainer() override = default;
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  // Refused at compile time. The reason is in the line that compilers quote.
  template <class WrongOption = void>
  Trainer(nn::Layer&, Loss, ...) = delete;  // no option has this name and type: `TrainerOptions o{...};` says which
  template <std::derived_from<nn::Module> TemporaryModel>
  Trainer(const TemporaryModel&&, ...) = delete;  // the model must outlive the trainer: give it a name
  template <nn::OtherThanLayer NotALayer>
  Trainer(NotALayer&, const Loss&, const TrainerOptions&) = delete;  // want a model derived from nn::Layer
  template <OtherThanLoss NotALoss>
  Trainer(nn::Layer&, const NotALoss&, const TrainerOptions&) = delete;  // want a Tensor of (predictions, targets)

  /// Trains the model on a data set, of which options.validation_split is held out for validation. A model whose inputs
  /// or targets are raw gets scales (TrainerOptions::standardize): call it as model(x) then. When it ends, also
  /// by an exception, the model has the weights of the best evaluation. Without one, it has those of the last step or,
  /// when a guard ended the run or training had diverged, those of the last good state. Weights whose loss is more than
  /// about ten times the initial loss are neither best nor good, unless guards.divergence is off. Throws DataError,
  /// ShapeError or NonFiniteError when data or parameters cannot be trained on, OptionError when options do not suit
  /// them, CheckpointError when the first checkpoint cannot be written, and what overrides throw. With options.refit a
  /// second fit on all rows follows.
  FitResult fit(const Dataset& train);
  /// Trains the model on `train` with the validation set `validation`. Ends and throws as fit(train) does. Throws
  /// OptionError when options.refit is on, which would train on validation rows.
  FitResult fit(const Dataset& train, const Dataset& validation);
  /// Continues a run from its newest checkpoint that can be read, on the same data. run_dir: the directory of the run,
  /// or a checkpoint in it. The run continues in the middle of an epoch if need be, with the same bits as if it had
  /// never stopped. Throws what fit throws; CheckpointError when there is no such checkpoint, and when options, data,
  /// model or build differ from those the run began with: the error lists what differs and is not in options.allow.
  FitResult resume(const std::filesystem::path& run_dir, const Dataset& train, const ResumeOptions& options = {});
  FitResult resume(const std::filesystem::path& run_dir, const Dataset& train, const Dataset& validation,
                   const ResumeOptions& options = {});

  /// Finds a learning rate by a sweep, as fit does when options.lr is automatic: up to 1, or 10 for SGD, in
  /// sweep_steps() steps, and again in 200 steps when noise hides the fall of the loss. The model is unchanged
  /// afterwards, also after an exception. The suggestion suits the batch size and the number of epochs of the options:
  /// set it as options.lr with lr_scaling = LrScaling::none.
  LrFinderResult find_lr(const Dataset& train);
  /// Finds a learning rate by the sweep that `options` describe. Throws OptionError on options out of range.
  LrFinderResult find_lr(const Dataset& train, const LrFinderOptions& options);
  /// Measures which fix helps. Trains for options.steps steps, once with unchanged options and once with each fix, on
  /// the same batches and random numbers: from the last good state of the last fit; when that fit failed, from the
  /// weights before it; before any fit, from the present model. A fit has failed when a guard stopped it, when the loss
  /// had diverged at its end, or when it had a warning of Rank::blow_up, such as dead units; a run that was resumed has
  /// its last good state only. Of the fixes whose validation loss is significantly lower than the unchanged one's
  /// (paired, 95 %), the options keep the one with the lowest. The model is unchanged afterwards, also after an
  /// exception, but when a fix is kept after a fit that failed it has the weights from before that fit, so that the
  /// next one begins anew. Throws OptionError without validation data, for steps < 1, and for a fix that makes the
  /// options invalid.
  TryFixResult try_fix(const Dataset& train, const std::vector<Fix>& fixes, const TryFixOptions& options = {});
  TryFixResult try_fix(const Dataset& train, const Dataset& validation, const std::vector<Fix>& fixes,
                       const TryFixOptions& options = {});

  /// Writes a file with everything that is needed to predict: the parameters and buffers of the model, and
  /// model_info(). Throws CheckpointError as save_weights does.
  void save_model(const std::filesystem::path& path) const;
  /// Reads a file of save_model, or a checkpoint, into the model, which must be built as it was when it was saved. A
  /// checkpoint gives the weights of its best evaluation. From then on evaluate and predict normalise raw data as
  /// training did. Throws CheckpointError for a file that is damaged or cannot be read, for a model with other names or
  /// shapes, and for another task; nothing has changed then.
  void load_model(const std::filesystem::path& path);

  /// Computes the loss, the accuracy and options.metrics over all samples, in evaluation mode.
  /// Throws ShapeError when the predictions have another number of rows than the inputs, or rows of different shapes;
  /// DataError naming the row of a target that is no class; MetricError when there are no predictions for a metric;
  /// OptionError for raw data, such as a ByteDataset, when the normalization that the model was trained with is not
  /// known.
  Evaluation evaluate(const Dataset& data);
  /// Returns the outputs of the model for all samples, [N, ...], in evaluation mode. Throws ShapeError when the outputs
  /// have another number of rows than the inputs, or rows of different shapes; OptionError for raw data, as evaluate
  /// does.
  Tensor predict(const Dataset& data);
  /// Returns the outputs of the model for the inputs [N, ...], in evaluation mode. Nothing is normalised.
  Tensor predict(const Tensor& inputs);

  /// Ends the run after the present step, with StopReason::requested. Call it from a hook.
  void stop() { stop_requested_ = true; }

  /// The options, as try_fix may have changed them.
  const TrainerOptions& options() const { return options_; }
  /// What the model needs to predict besides its weights. It is set by fit, resume and load_model; before, it holds
  /// what the options give.
  const ModelInfo& model_info() const { return info_; }

 protected:
  // See Recipe.
  StepOutput training_step(const Batch& batch) override;
  StepOutput validation_step(const Batch& batch) override;
  Tensor predict_step(const Tensor& inputs) override;
  std::unique_ptr<optim::Optimizer> configure_optimizer() override;
  optim::Schedule configure_schedule(double lr, std::int64_t planned_steps) override;

  /// The model that the constructor got, for overrides.
  nn::Module& model() { return model_; }

 private:
  Program program();

  nn::Module& model_;
  const nn::Layer* layer_ = nullptr;
  std::optional<Loss> loss_;
  TrainerOptions options_;
  ModelInfo info_;
  std::optional<LastRun> last_run_;
  bool stop_requested_ = false;
};

}  // namespace handrail::train
