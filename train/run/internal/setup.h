#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <handrail/core/parameter.h>
#include <handrail/nn/module.h>
#include <handrail/train/data/internal/preview.h>
#include <handrail/train/data/loader.h>
#include <handrail/train/data/model_info.h>
#include <handrail/train/data/rows.h>
#include <handrail/train/lr/lr_finder.h>
#include <handrail/train/run/last_run.h>
#include <handrail/train/run/loss.h>
#include <handrail/train/run/options.h>
#include <handrail/train/run/recipe.h>

namespace handrail::train {

/// The parts of a Trainer that a run uses, and which of them it may change.
struct Program {
  Recipe& recipe;
  nn::Module& model;
  const nn::Layer* layer;           // the model, when it is a Layer; otherwise null
  const std::optional<Loss>& loss;  // nothing when a subclass computes it
  TrainerOptions& options;
  ModelInfo& info;
  std::optional<LastRun>& last_run;
  const bool& stop_requested;
};

/// The rows that a run works on.
struct RunData {
  Rows train;
  std::optional<Rows> validation;
  std::string validation_source;
  std::optional<Rows> all_train = {};  // with those that overfit_batches leaves out, for the checks of the data
  bool stratify = false;               // whether the split by class has still to be made: see Preflight::read_data
  // The rows that were read of a set that is not in memory, for the checks; null when the set is in memory.
  std::shared_ptr<const Preview> train_preview = {}, validation_preview = {};
};

/// The batches of one optimizer step.
struct MicroBatches {
  Index first, count;
  Index samples;  // in all of them

  Index last() const { return first + count - 1; }
  /// The share of the samples of the step that are in this batch.
  double share(const Batch& batch) const {
    return static_cast<double>(batch.inputs.shape()[0]) / static_cast<double>(samples);
  }
};

/// The parts of a run. They are made before its first step and do not change after it.
struct Setup : Program {
  Setup(const Program& program, RunData data);

  /// Throws OptionError when no parameter of the optimizer is trained, because all are frozen.
  void require_trained() const;
  /// The number of batches in an epoch.
  Index batches() const;
  /// The number of optimizer steps in an epoch in which no step is skipped.
  Index steps_to_epoch() const;
  /// The batches of the step that begins with batch `first`: `max_count`, or fewer at the end of the epoch.
  MicroBatches micro_batches(Index first, Index max_count) const;
  MicroBatches micro_batches(Index first) const { return micro_batches(first, options.accumulate_grad_batches); }
  /// The number of samples in a step; only the last step of an epoch may have fewer.
  Index samples_per_step() const { return micro_batches(0).samples; }
  /// options.lr, scaled to the samples in a step of this run; the default of the optimizer when it is not given.
  double given_lr() const;
  /// Sets the peak rate and makes the schedule. Throws OptionError when configure_schedule returns an empty function.
  void set_lr(double lr);
  /// The training rows of an epoch. With overfit_batches these are fewer than those of the data.
  Rows rows_to_train() const;
  /// Makes the loaders for the rows that are known now.
  void make_loaders();
  /// Takes up the scales that the model has now: their buffers, and loss_unit.
  void take_scales();
  /// What the LR finder needs to know of the run.
  PlannedRun planned_run() const;
  /// See Loss::plain. False when a subclass computes the loss, and when classes have weights in it.
  bool plain_loss() const { return loss && loss->plain() && info.class_weights.empty(); }
  /// Returns the result of training_step for a batch. number: that of the batch, from which an error names the row in
  /// the data set. Throws ShapeError unless the loss has one element.
  StepOutput training_output(const Batch& batch, Index number) const;

  /// Called before each batch that is trained on; empty: nothing is. It may throw to end the step.
  std::function<void()> before_batch;
  RunData data;
  Decisions decisions;
  std::unique_ptr<Loader> loader, validation;
  std::unique_ptr<optim::Optimizer> optimizer;
  optim::Schedule schedule;
  std::vector<Parameter> parameters;
  std::vector<Buffer> buffers;
  /// The loss of predictions that are off by the standard deviation of the targets, when the model standardises them;
  /// otherwise 1. Gradients are divided by it, so that they are those of the standardised problem, while losses are in
  /// the units of the user.
  double loss_unit = 1;
};

/// The loss of predicting the mean of the targets [N, ...] for every row.
double loss_of_mean(const Loss& loss, const Tensor& targets);

/// Makes the schedule of the options: a linear warmup, then TrainerOptions::decay.
optim::Schedule default_schedule(const TrainerOptions& options, double lr, std::int64_t planned_steps);
/// The number of steps of the warmup: options.warmup of the planned ones, but not all of them.
std::int64_t warmup_steps(const TrainerOptions& options, std::int64_t planned_steps);

/// Makes the loader of an evaluation. It has at least 30 batches when there are that many samples, so that the losses
/// of the batches suffice for a test whether an improvement is significant.
Loader evaluation_loader(Rows rows, const std::optional<Normalization>& constants);

/// The data of a run with a validation set that is given.
RunData given_data(const Dataset& train, const Dataset& validation);
/// The data of a run whose validation set is split off as the options say. A split by class has its final sizes, but
/// its rows are chosen by Preflight::read_data, when the classes are known. Throws DataError on fewer than 2 rows.
RunData split_data(const Dataset& train, const TrainerOptions& options, Task task);
/// Chooses the rows of a split by class.
void stratify(RunData& data, const TrainerOptions& options);

/// Throws OptionError when the data is raw and the normalization that the model was trained with is not known.
/// function: the name of the caller, for the message.
void check_known(const ModelInfo& info, const Dataset& data, const char* function);

/// Throws CheckpointError, starting with `function`, when a file is of a model for another task than that of the loss.
void check_task(const char* function, const std::filesystem::path& path, Task wanted, Task got);

}  // namespace handrail::train
