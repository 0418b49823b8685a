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
#include <handrail/train/checkpoints/state.h>
#include <handrail/train/data/loader.h>
#include <handrail/train/data/model_info.h>
#include <handrail/train/lr/lr_finder.h>
#include <handrail/train/run/loss.h>
#include <handrail/train/run/options.h>
#include <handrail/train/run/recipe.h>
#include <handrail/train/run/result.h>
#include <handrail/train/run/try_fix.h>

namespace handrail::train {

struct Program;

/// Trains a model, safely by default:
///
///   train::Trainer trainer{model, cross_entropy, {.epochs = 10}};
///   const auto result = trainer.fit(train_set);
///   const auto test = trainer.evaluate(test_set);
///
/// A subclass overrides the virtual functions of Recipe: training_step for losses and models of another kind,
/// configure_* for another optimizer, another schedule or guards of its own, the on_* hooks to look on. What lies
/// between the loss and the update is sealed, so that no override can lose a protection.
///
/// The model must outlive the trainer. One thread at a time may use a trainer.
class Trainer : protected Recipe {
 public:
  /// Throws OptionError listing everything that is wrong with the options.
  Trainer(nn::Layer& model, Loss loss, TrainerOptions options);
  /// For a subclass that overrides training_step; a model that is no Layer is welcome. The task says
  /// how its predictions are counted for accuracy.
  Trainer(nn::Module& model, TrainerOptions options, Task task = Task::regression);
  ~Trainer() override = default;
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
  // What Recipe says of them.
  StepOutput training_step(const Batch& batch) override;
  StepOutput validation_step(const Batch& batch) override;
  Tensor predict_step(const Tensor& inputs) override;
  std::unique_ptr<optim::Optimizer> configure_optimizer() override;
  optim::Schedule configure_schedule(double lr, std::int64_t planned_steps) override;

  nn::Module& model() { return model_; }

 private:
  Program program();

  nn::Module& model_;
  const nn::Layer* layer_ = nullptr;
  std::optional<Loss> loss_;
  TrainerOptions options_;
  ModelInfo info_;
  std::optional<TrainingState> known_good_;  // of the last fit
  bool stop_requested_ = false;
};

}  // namespace handrail::train
