#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <handrail/optim/optimizer.h>
#include <handrail/train/checkpoints/options.h>
#include <handrail/train/checks/options.h>
#include <handrail/train/data/dataset.h>
#include <handrail/train/data/table/table_encoder.h>
#include <handrail/train/guards/early_stopping.h>
#include <handrail/train/guards/options.h>
#include <handrail/train/lr/lr_scaling.h>
#include <handrail/train/metrics/metric.h>
#include <handrail/train/option/option.h>
#include <handrail/train/report/sink.h>

namespace handrail::train {

using handrail::Auto;
using handrail::automatic;
using handrail::off;
using handrail::Off;
using handrail::OrAuto;
using handrail::OrOff;

/// The shape of the learning rate after the warmup: from its peak to 0 along half a cosine or a line, or constant.
enum class Decay { cosine, linear, constant };

/// The names of the values, in their order: see option_text.
constexpr std::array<const char*, 3> names_of(Decay) { return {"cosine", "linear", "constant"}; }
constexpr std::array<const char*, 4> names_of(LrScaling) { return {"automatic", "linear", "sqrt", "none"}; }
constexpr std::array<const char*, 2> names_of(MonitorMode) { return {"min", "max"}; }
constexpr std::array<const char*, 2> names_of(Improvement) { return {"significant", "plain"}; }

/// The seed of everything random in a run. A plain number converts to it. The initial weights come from the Rng of your
/// program: give it the same seed.
struct Seed {
  /// A seed that is given; any number is allowed.
  constexpr Seed(std::uint64_t number) : value(number) {}
  /// The number, for example for Rng rng(options.seed).
  constexpr operator std::uint64_t() const { return value; }
  std::uint64_t value;  // the number
  bool drawn = false;   // whether it is from random_seed()
};
/// Draws a seed from the entropy of the system, for a run that is different each time. The summary shows the seed.
Seed random_seed();
/// The seed of one of several fits, such as that of fold or member `number`: a function of both numbers alone. Those of
/// neighbouring seeds have nothing in common.
Seed derived_seed(Seed seed, Index number);

/// Makes the optimizer of a run from the groups of its parameters.
using OptimizerFactory = std::function<std::unique_ptr<optim::Optimizer>(std::vector<optim::ParamGroup>)>;

/// Makes an OptimizerFactory: {.optimizer = with<optim::SGD>({.momentum = 0.9})}.
template <class O>
OptimizerFactory with(typename O::Options options = {}) {
  return [options](std::vector<optim::ParamGroup> groups) { return std::make_unique<O>(std::move(groups), options); };
}

/// The options of a Trainer. Only `epochs` must be given; every protection is on until it is set to `off`.
struct TrainerOptions {
  /// Passes over the training set.
  Index epochs;
  /// Samples in a batch.
  Index batch_size = 32;
  /// Whether the last batch of an epoch is left out when it is not full.
  bool drop_last = false;
  /// Batches in one optimizer step. Each batch counts by its number of samples.
  Index accumulate_grad_batches = 1;

  /// Makes the optimizer; empty for AdamW.
  OptimizerFactory optimizer = {};
  /// The peak learning rate, stated for 32 samples in a step. `automatic`: the LR finder chooses it.
  OrAuto<double> lr = automatic;
  /// How an `lr` that is given is scaled to another number of samples in a step.
  LrScaling lr_scaling = LrScaling::automatic;
  /// How the learning rate falls after the warmup.
  Decay decay = Decay::cosine;
  /// The share of the planned steps in which the learning rate rises linearly from 0, from 0.01 to 0.1.
  OrOff<double> warmup = 0.05;
  /// Whether `warmup` must be from 0.01 to 0.1; when off, any share below 1 is accepted.
  bool check_warmup = true;
  /// The weight decay of parameters with Role::weight, decoupled from the gradient in AdamW.
  OrOff<double> weight_decay = 0.01;
  /// Whether biases, norms and embeddings do not decay.
  bool decay_exempt = true;
  /// The global norm that gradients are scaled down to when theirs is larger.
  OrOff<double> clip_norm = 1.0;
  /// The share that the moving average of the loss, StepStats::ema_loss, keeps at each step. When off, ema_loss is the
  /// loss of the step.
  OrOff<double> ema_beta = 0.99;

  /// The share of the data that is split off for validation when no validation set is given.
  OrOff<double> validation_split = 0.1;
  /// Whether the validation set gets the same share of every class.
  bool stratify = true;
  /// Whether all classes count the same in the loss, however many training rows they have: a row of class c is weighted
  /// by N / (C n_c), for N rows of which n_c are of class c, and C classes, as scikit-learn's class_weight="balanced"
  /// is. The mean weight is 1. Validation and Trainer::evaluate use the same loss. For cross_entropy and
  /// binary_cross_entropy_with_logits with one label a row. See docs/calibration.md.
  bool balance_classes = false;
  /// Optimizer steps between evaluations within an epoch. Every epoch ends with an evaluation besides.
  std::int64_t val_check_interval = 1000;
  /// Metrics that are computed over each evaluation as a whole and logged as val_NAME, such as {F1{}, Auc{}}.
  std::vector<Metric> metrics = {};
  /// The value that decides on early stopping and the best weights: val_loss, val_accuracy, train_loss, or val_NAME or
  /// train_NAME of a metric. Of equal values, the one with the lower val_loss is better.
  std::string monitor = "val_loss";
  /// Whether a lower or a higher value of `monitor` is better.
  MonitorMode mode = MonitorMode::min;
  /// Evaluations in a row that are worse, or no better, after which training stops. `overfit_batches` turns it off.
  OrOff<Index> patience = 10;
  /// Which evaluations count for `patience`, and which one is the best: by default, with a rate that falls, those count
  /// whose val_loss is worse than the lowest one beyond its noise, and the best is the last one that is as low as that
  /// within its noise. Improvement::plain takes the lowest itself. See docs/early_stopping.md.
  Improvement improvement = Improvement::significant;
  /// Whether the model gets the weights of the best evaluation when a run ends, also by an exception.
  bool restore_best = true;

  /// The guards that watch the run.
  GuardOptions guards = {};
  /// The checks before the first step.
  CheckOptions checks = {};
  /// Whether try_fix measures the fixes and keeps one only when the improvement is statistically significant. When off,
  /// it keeps the first one without measuring.
  bool verify_fixes = true;
  /// How many further fits may be spent on FitResult::fixes() when a run has anomalies. Each fit begins anew with one
  /// fix more. Of each, the weights, the options and the changes of the model are kept when its validation loss is
  /// significantly lower (paired, 95 %); then its own diagnosis has the next fixes. FitResult::repairs has the figures.
  /// The checkpoints of a repaired run belong to the program with its fixes: change the program before it is resumed.
  OrOff<Index> repair = off;
  /// Whether fit(data) trains a second time, on all rows, when it has learnt from the validation rows how long to
  /// train: from the same initial weights, with the same seed and peak rate, and for as many epochs as lie halfway
  /// between the best evaluation of the first fit and its last one; the schedule ends there. FitResult::refit says what
  /// came of it. The model keeps the weights of the first fit when a guard, a signal, Trainer::stop() or max_seconds,
  /// which counts for both, has ended one of them. See docs/early_stopping.md.
  bool refit = false;
  /// Whether the outputs of a classifier are divided by a temperature at the end of the run, so that its probabilities
  /// are as sure as they should be (Guo et al. 2017). It is the one with the lowest loss on the validation rows, and is
  /// used when it differs significantly from 1. It becomes part of the last nn::Linear, so that everything that has the
  /// model has it; which class is predicted does not change. Checkpoints hold the model without it.
  /// FitResult::calibration says what it was worth. See docs/calibration.md.
  bool calibrate = false;
  /// Where and when checkpoints are written; off: none.
  OrOff<CheckpointOptions> checkpoints = CheckpointOptions{};
  /// The share of the steps that are computed twice, on other kernels or threads, which finds faults of memory and
  /// processor: see docs/durability.md. 0.01 takes about 1 % of the time, and memory for a copy of the gradients.
  OrOff<double> verify_steps = off;

  /// The maximum number of batches in an epoch.
  OrOff<Index> limit_train_batches = off;
  /// The maximum number of batches in an evaluation.
  OrOff<Index> limit_val_batches = off;
  /// The number of batches to memorise: training uses only the first ones of the training set, in every epoch. Patience
  /// and restore_best are off then.
  OrOff<Index> overfit_batches = off;
  /// Seconds of training after which the run ends. Earlier sessions of a resumed run count.
  OrOff<double> max_seconds = off;
  /// Whether SIGINT and SIGTERM end the run after the current step, with a checkpoint.
  bool handle_signals = true;
  /// Whether the run makes one step and one evaluation batch only, and writes nothing.
  bool fast_dev_run = false;

  /// Whether a model gets scales for raw inputs and targets: see docs/tables.md. When off, raw data is only reported.
  bool standardize = true;
  /// The seed of shuffling, dropout and splits.
  Seed seed = 42;
  /// The mean and the standard deviation that raw data, such as bytes, are normalised with; {} fits them to the
  /// training split.
  std::optional<Normalization> normalization = {};
  /// The names of the classes in the order of the outputs. They are saved with the model. {}: those of `table`.
  std::vector<std::string> class_names = {};
  /// How load_csv made the inputs. It is saved with the model, so that it can predict from files and rows.
  std::optional<TableEncoder> table = {};
  /// Optimizer steps between measurements of the layers, and between the rows of steps in metrics.csv.
  std::int64_t log_every_n_steps = 100;
  /// The file for the figures of the run, as rows of step,epoch,name,value. An empty path: metrics.csv in the directory
  /// of the run.
  OrOff<std::filesystem::path> metrics_csv = std::filesystem::path{};
  /// Whether the directory of the run gets report.html, a page with its curves and its diagnosis, at the end and once a
  /// minute. See docs/guides/report.md.
  bool report = true;
  /// The sinks that the run reports to; {}: none.
  LogSinks sinks = default_sinks();
};

/// Whether the monitored value is measured in training, so that it needs no validation set: train_loss or train_NAME.
bool is_training_figure(std::string_view monitor);

// What is wrong with the values of these options, for OptionInfo::problem; empty when nothing is.
std::string monitor_problem(const std::string& monitor);
std::string mode_problem(MonitorMode mode, const std::string& monitor);
std::string metrics_problem(const std::vector<Metric>& metrics);
std::string normalization_problem(const std::optional<Normalization>& normalization);
std::string table_problem(const std::optional<TableEncoder>& table);
std::string sinks_problem(const LogSinks& sinks);

/// Calls visit(OptionInfo, value) for every field, and for those of guards, checks and checkpoints, as "guards.spike".
template <class Options, class Visit>
requires std::same_as<std::remove_const_t<Options>, TrainerOptions>
void visit_options(Options& options, Visit&& visit) {
  const auto within = [&visit](const char* group) {
    return [&visit, group](OptionInfo info, auto& value) {
      info.name = std::string(group) + "." + info.name;
      visit(info, value);
    };
  };
  auto& [epochs, batch_size, drop_last, accumulate_grad_batches, optimizer, lr, lr_scaling, decay, warmup, check_warmup,
         weight_decay, decay_exempt, clip_norm, ema_beta, validation_split, stratify, balance_classes,
         val_check_interval, metrics, monitor, mode, patience, improvement, restore_best, guards, checks, verify_fixes,
         repair, refit, calibrate, checkpoints, verify_steps, limit_train_batches, limit_val_batches, overfit_batches,
         max_seconds, handle_signals, fast_dev_run, standardize, seed, normalization, class_names, table,
         log_every_n_steps, metrics_csv, report, sinks] = options;

  visit({.name = "epochs", .help = "passes over the training set", .range = {.min = 1, .max = 1e9}}, epochs);
  visit({.name = "batch_size", .help = "samples in a batch", .range = {.min = 1}}, batch_size);
  visit({.name = "drop_last", .help = "leave the last batch of an epoch out when it is not full"}, drop_last);
  visit({.name = "accumulate_grad_batches", .help = "batches in one optimizer step", .range = {.min = 1}},
        accumulate_grad_batches);

  visit({.name = "optimizer", .help = "makes the optimizer"}, optimizer);
  visit(
      {.name = "lr", .help = "the peak learning rate for 32 samples in a step", .range = {.above = 0, .finite = true}},
      lr);
  visit({.name = "lr_scaling",
         .help = "how lr is scaled to the samples in a step",
         .label = "lr scaling",
         .without = "lr is used as given at any batch size"},
        lr_scaling);
  visit({.name = "decay", .help = "the shape of the learning rate after the warmup", .label = "lr decay"}, decay);
  visit({.name = "warmup",
         .help = "the share of the steps in which the learning rate rises",
         .range = check_warmup ? OptionRange{.min = 0.01, .max = 0.1} : OptionRange{.min = 0, .below = 1},
         .unit = " of the planned steps",
         .hint = check_warmup ? "off means no warmup, check_warmup = off allows any share" : "off means no warmup",
         .without = "the first steps use the full lr"},
        warmup);
  visit({.name = "check_warmup",
         .help = "refuse a warmup outside of 0.01 to 0.1",
         .without = "a warmup of any length is accepted",
         .fixed = false},
        check_warmup);
  visit({.name = "weight_decay",
         .help = "the decay of weights",
         .range = {.min = 0, .finite = true},
         .label = "weight decay",
         .without = "weights may grow"},
        weight_decay);
  visit({.name = "decay_exempt",
         .help = "do not decay biases, norms and embeddings",
         .without = "biases, norms and embeddings decay too"},
        decay_exempt);
  visit({.name = "clip_norm",
         .help = "the largest global norm of the gradients",
         .range = {.above = 0},
         .hint = "off means no clipping",
         .label = "clip",
         .without = "gradients may explode"},
        clip_norm);
  visit({.name = "ema_beta",
         .help = "the share that the moving average of the loss keeps at each step",
         .range = {.min = 0, .below = 1},
         .label = "smoothing",
         .without = "the loss of each step is shown"},
        ema_beta);

  // The split may differ on resume, because the fingerprint compares the samples themselves.
  visit({.name = "validation_split",
         .help = "the share of the data that is split off for validation",
         .range = {.above = 0, .below = 1},
         .hint = "off means no validation set",
         .label = "validation",
         .without = "nothing measures generalisation",
         .fixed = false},
        validation_split);
  visit({.name = "stratify",
         .help = "split the same share off every class",
         .without = "classes may have other shares in the validation set than in the data",
         .fixed = false},
        stratify);
  visit({.name = "balance_classes", .help = "weight rows in the loss so that all classes count the same"},
        balance_classes);
  visit({.name = "val_check_interval",
         .help = "steps between evaluations within an epoch",
         .range = {.min = 1},
         .unit = " step"},
        val_check_interval);
  visit({.name = "metrics", .help = "computed over each evaluation", .problem = metrics_problem(metrics)}, metrics);
  visit({.name = "monitor",
         .help = "the value that early stopping and the best weights go by",
         .problem = monitor_problem(monitor)},
        monitor);
  visit({.name = "mode",
         .help = "whether a lower or a higher value of monitor is better",
         .problem = mode_problem(mode, monitor)},
        mode);
  visit({.name = "patience",
         .help = "evaluations in a row that are worse, or no better, after which training stops",
         .range = {.min = 1},
         .hint = "off means no limit",
         .label = "early stopping",
         .without = "all epochs are run"},
        patience);
  visit({.name = "improvement", .help = "which evaluations count for patience"}, improvement);
  visit({.name = "restore_best",
         .help = "leave the model with the weights of the best evaluation",
         .label = "restore best",
         .without = "the model keeps the weights of the last step"},
        restore_best);

  visit_options(guards, within("guards"));
  visit_options(checks, within("checks"));
  visit({.name = "verify_fixes",
         .help = "measure the fixes of try_fix before one is kept",
         .label = "fixes",
         .without = "try_fix keeps the first fix without measuring it",
         .fixed = false},
        verify_fixes);
  visit({.name = "repair",
         .help = "further fits that may be spent on fixes when a run has anomalies",
         .range = {.min = 1},
         .hint = "off means none",
         .fixed = false},
        repair);
  visit({.name = "refit", .help = "train a second time, on all rows, when the first fit has shown for how long"},
        refit);
  visit({.name = "calibrate", .help = "divide the outputs of a classifier by a temperature at the end", .fixed = false},
        calibrate);
  visit({.name = "checkpoints",
         .help = "write checkpoints",
         .without = "a run that is interrupted is lost",
         .fixed = false},
        checkpoints);
  if (checkpoints) visit_options(*checkpoints, within("checkpoints"));
  // It may differ on resume, because no bit changes: who suspects the machine turns it on.
  visit({.name = "verify_steps",
         .help = "the share of the steps that are computed twice and compared",
         .range = {.above = 0, .max = 1},
         .hint = "off means that none is",
         .fixed = false},
        verify_steps);

  visit({.name = "limit_train_batches",
         .help = "batches in an epoch at most",
         .range = {.min = 1},
         .hint = "off means no limit"},
        limit_train_batches);
  visit({.name = "limit_val_batches",
         .help = "batches in an evaluation at most",
         .range = {.min = 1},
         .hint = "off means no limit"},
        limit_val_batches);
  visit({.name = "overfit_batches",
         .help = "train on the first batches only, to memorise them",
         .range = {.min = 1},
         .hint = "off means no limit"},
        overfit_batches);
  visit({.name = "max_seconds",
         .help = "seconds after which the run ends",
         .range = {.above = 0},
         .hint = "off means no limit",
         .fixed = false},
        max_seconds);
  visit({.name = "handle_signals",
         .help = "end the run after the step on SIGINT and SIGTERM",
         .label = "signals",
         .without = "SIGINT and SIGTERM kill the run",
         .fixed = false},
        handle_signals);
  visit({.name = "fast_dev_run", .help = "make one step and one evaluation batch, write nothing"}, fast_dev_run);

  visit({.name = "standardize",
         .help = "standardise raw inputs and targets within the model",
         .without = "raw inputs and targets are only reported"},
        standardize);
  visit({.name = "seed", .help = "the seed of shuffling, dropout and splits"}, seed);
  visit({.name = "normalization",
         .help = "mean and standard deviation of raw data",
         .problem = normalization_problem(normalization)},
        normalization);
  visit({.name = "class_names", .help = "saved with the model", .fixed = false}, class_names);
  visit({.name = "table",
         .help = "makes the inputs of a table; saved with the model",
         .problem = table_problem(table),
         .fixed = false},
        table);
  // It is fixed because LayerGuard acts on the measurements at these steps.
  visit({.name = "log_every_n_steps", .help = "steps between measurements of the layers", .range = {.min = 1}},
        log_every_n_steps);
  visit({.name = "metrics_csv",
         .help = "the file for the figures of the run; empty: metrics.csv in the directory of the run",
         .without = "the figures of the run are not kept",
         .fixed = false},
        metrics_csv);
  visit({.name = "report",
         .help = "write report.html into the directory of the run",
         .without = "there is no page with the curves of the run",
         .fixed = false},
        report);
  visit({.name = "sinks",
         .help = "what the run reports to",
         .problem = sinks_problem(sinks),
         .label = "log",
         .without = "nothing is reported",
         .fixed = false},
        sinks);
}

/// Throws OptionError listing every value that is out of range or does not suit another one.
void validate(const TrainerOptions& options);

}  // namespace handrail::train
