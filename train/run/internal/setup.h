#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <handrail/core/parameter.h>
#include <handrail/nn/module.h>
#include <handrail/train/checkpoints/state.h>
#include <handrail/train/data/internal/preview.h>
#include <handrail/train/data/loader.h>
#include <handrail/train/data/model_info.h>
#include <handrail/train/data/rows.h>
#include <handrail/train/lr/lr_finder.h>
#include <handrail/train/run/loss.h>
#include <handrail/train/run/options.h>
#include <handrail/train/run/recipe.h>

namespace handrail::train {

/// What a Trainer was given, and what its run may change of it.
struct Program {
  Recipe& recipe;
  nn::Module& model;
  const nn::Layer* layer;           // the model, when it maps inputs to outputs
  const std::optional<Loss>& loss;  // nothing when a subclass computes it
  TrainerOptions& options;
  ModelInfo& info;
  std::optional<TrainingState>& known_good;  // the last good state of the last run
  const bool& stop_requested;
};

/// The rows that a run works on.
struct RunData {
  Rows train;
  std::optional<Rows> validation;
  std::string validation_source;
  bool stratify = false;  // the split is still to be made by class: see read_data
  // What the checks look at: the sets themselves when they are in memory, else what was read of them.
  std::shared_ptr<const Preview> train_preview = {}, validation_preview = {};
};

/// The batches of one optimizer step.
struct MicroBatches {
  Index first, count;
  Index samples;  // of all of them

  Index last() const { return first + count - 1; }
  /// The part that the samples of a batch have in the mean over all of them.
  double share(const Batch& batch) const {
    return static_cast<double>(batch.inputs.shape()[0]) / static_cast<double>(samples);
  }
};

/// The parts of a run: they are made before its first step and stay as they are to its end.
struct Setup {
  Setup(const Program& program, RunData data);

  /// Batches to an epoch, and optimizer steps to one in which no step is skipped.
  Index batches() const;
  Index steps_to_epoch() const;
  /// The batches of the step that begins with that one: at most `max_count`.
  MicroBatches micro_batches(Index first, Index max_count) const;
  MicroBatches micro_batches(Index first) const { return micro_batches(first, options.accumulate_grad_batches); }
  /// The rate that was given, scaled to the batch size of this run; or the optimizer's default.
  double given_lr() const;
  /// Decides on the peak rate. Throws OptionError when the schedule for it is an empty function.
  void set_lr(double lr);
  /// The rows of an epoch: fewer than those of the data with overfit_batches.
  Rows rows_to_train() const;
  /// Makes the loaders, of the rows as they are known now.
  void make_loaders();
  PlannedRun planned_run() const;
  /// Whether the loss is the library's own for the task, whose values have a known meaning.
  bool plain_loss() const { return program.loss && program.loss->plain(); }
  /// What training_step says of a batch. Throws ShapeError unless its loss has one element.
  StepOutput training_output(const Batch& batch, Index number) const;

  Program program;
  Recipe& recipe;
  nn::Module& model;
  const TrainerOptions& options;
  RunData data;
  Decisions decisions;
  std::unique_ptr<Loader> loader, validation;
  std::unique_ptr<optim::Optimizer> optimizer;
  optim::Schedule schedule;
  std::vector<Parameter> parameters;
  std::vector<Buffer> buffers;
};

/// The rate over the planned steps as the options say: warmup, then TrainerOptions::decay.
optim::Schedule default_schedule(const TrainerOptions& options, double lr, std::int64_t planned_steps);
/// The number of steps over which the rate rises: `share` of the planned ones, but not all of them.
std::int64_t warmup_steps(const TrainerOptions& options, std::int64_t planned_steps);

/// The loader of an evaluation: at least 30 batches when there are as many samples, whose losses tell noise from
/// improvement.
Loader evaluation_loader(Rows rows, const std::optional<Normalization>& constants);

/// Data sets that were given, and one that a validation set is split off as the options say. Of a split by class the
/// sizes are final; read_data chooses the rows once it knows their classes. Throws DataError on fewer than 2 rows.
RunData given_data(const Dataset& train, const Dataset& validation);
RunData split_data(const Dataset& train, const TrainerOptions& options, Task task);
/// Chooses the rows of a split by class.
void stratify(RunData& data, const TrainerOptions& options);

/// Throws OptionError for raw data when the constants are not known that the model was trained with.
void check_known(const ModelInfo& info, const Dataset& data, const char* function);

}  // namespace handrail::train
