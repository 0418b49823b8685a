#pragma once

#include <concepts>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <handrail/core/off.h>
#include <handrail/optim/optimizer.h>
#include <handrail/train/checkpoints/options.h>
#include <handrail/train/checks/options.h>
#include <handrail/train/data/dataset.h>
#include <handrail/train/guards/early_stopping.h>
#include <handrail/train/guards/options.h>
#include <handrail/train/lr/lr_scaling.h>
#include <handrail/train/metrics/metric.h>
#include <handrail/train/report/sink.h>

namespace handrail::train {

using handrail::automatic;
using handrail::off;
using handrail::Off;

enum class Decay { cosine, linear, constant };

/// A seed of everything random: give it to the Rng that initialises the model too. A plain number will do.
struct Seed {
  constexpr Seed(std::uint64_t number) : value(number) {}
  constexpr operator std::uint64_t() const { return value; }
  std::uint64_t value;
  bool drawn = false;
};
/// A seed from the system's entropy: for a run that differs each time. The summary shows it.
Seed random_seed();

/// Makes the optimizer of a run from the groups of its parameters.
using OptimizerFactory = std::function<std::unique_ptr<optim::Optimizer>(std::vector<optim::ParamGroup>)>;

/// {.optimizer = with<optim::SGD>({.momentum = 0.9})}
template <class O>
OptimizerFactory with(typename O::Options options = {}) {
  return [options](std::vector<optim::ParamGroup> groups) { return std::make_unique<O>(std::move(groups), options); };
}

/// Only `epochs` must be given; all else is on and set to what is safe.
struct TrainerOptions {
  Index epochs;
  Index batch_size = 32;
  bool drop_last = false;
  Index accumulate_grad_batches = 1;  // batches to an optimizer step, weighted by their samples

  OptimizerFactory optimizer = {};              // AdamW
  std::optional<double> lr = automatic;         // the peak rate: by the LR finder, or given for batches of 32
  LrScaling lr_scaling = LrScaling::automatic;  // of a given rate to the batch size
  Decay decay = Decay::cosine;                  // of the rate after the warmup
  std::optional<double> warmup = 0.05;          // as a share of the planned steps, 1 % to 10 %
  bool check_warmup = true;                     // off: any share below 1
  std::optional<double> weight_decay = 0.01;    // on weights
  bool decay_exempt = true;                     // off: on biases, norms and embeddings too
  std::optional<double> clip_norm = 1.0;        // of the global gradient norm
  std::optional<double> ema_beta = 0.99;        // of the smoothed loss; off: the loss of the step

  std::optional<double> validation_split = 0.1;  // split off when no validation set is given
  bool stratify = true;                          // the same share of every class
  std::int64_t val_check_interval = 1000;        // steps between evaluations, besides that of every epoch
  std::vector<Metric> metrics = {};              // {F1{}}: computed over the whole evaluation, logged as val_NAME
  std::string monitor = "val_loss";              // or val_accuracy, train_loss, or val_NAME of a metric
  MonitorMode mode = MonitorMode::min;           // whether lower or higher is better
  std::optional<Index> patience = 10;            // evaluations without improvement before training stops
  Improvement improvement = Improvement::significant;
  bool restore_best = true;  // the weights of the best evaluation, on every way out

  GuardOptions guards = {};
  CheckOptions checks = {};
  bool verify_fixes = true;  // off: try_fix keeps the first fix unmeasured
  std::optional<CheckpointOptions> checkpoints = CheckpointOptions{};

  std::optional<Index> limit_train_batches = {};  // to an epoch
  std::optional<Index> limit_val_batches = {};    // to an evaluation
  std::optional<Index> overfit_batches = {};      // train on the first ones only, over and over, to the end
  std::optional<double> max_seconds = {};         // of the whole run, sessions before a resume too
  bool handle_signals = true;                     // SIGINT, SIGTERM: end after the step, with a checkpoint
  bool fast_dev_run = false;                      // one step and one evaluation batch, nothing written

  Seed seed = 42;                                   // of shuffling, dropout and splits
  std::optional<Normalization> normalization = {};  // of raw data; fitted on the training split
  std::vector<std::string> class_names = {};        // in the order of the outputs; saved with the model
  std::int64_t log_every_n_steps = 100;             // layers and the plain console
  // The figures of the run as step,epoch,name,value; metrics.csv in the directory of the run when empty.
  std::optional<std::filesystem::path> metrics_csv = std::filesystem::path{};
  LogSinks sinks = default_sinks();  // the console; {} for silence
};

/// Throws OptionError with every violation.
void validate(const TrainerOptions& options);

}  // namespace handrail::train
