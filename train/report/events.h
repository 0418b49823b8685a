#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <handrail/core/parameter.h>
#include <handrail/core/scalar.h>
#include <handrail/train/lr/lr_finder.h>
#include <handrail/train/metrics/evaluation.h>
#include <handrail/train/metrics/sample_losses.h>
#include <handrail/train/report/anomaly.h>

namespace handrail::train {

/// A line of the summary that is reported before training. Every protection has one.
struct SummaryItem {
  std::string name;    // such as "early stopping"
  std::string value;   // what is on, as text in one line
  bool off = false;    // whether a protection is off; the value then says what may happen without it
  bool limit = false;  // whether a limit such as fast_dev_run is on: this is not a complete training run
};

/// The start of fit, before any data is checked.
struct FitStart {
  std::vector<SummaryItem> summary;           // in the order in which it is shown
  Index epochs;                               // TrainerOptions::epochs
  Index batches_per_epoch;                    // of these, accumulate_grad_batches make one step
  std::int64_t planned_steps;                 // optimizer updates in all epochs
  std::uint64_t seed = 0;                     // also one that random_seed() drew
  std::optional<double> clip_norm = {};       // TrainerOptions::clip_norm; absent when it is off
  std::vector<std::string> class_names = {};  // in the order of the outputs; empty when they have none
  bool resumed = false;                       // whether the run continues from a checkpoint
  std::int64_t step = 0;                      // optimizer updates that the checkpoint holds; 0 for a new run
  std::string run_dir = {};  // the directory of checkpoints and metrics.csv, an absolute path; empty without one
};

/// What a run is doing while it makes no steps, for a live line. Activities are reported often.
struct Activity {
  const char* what;  // such as "checking the data"; valid during the call only
  Index done;        // how much of `total` is done, in units of the activity
  Index total;       // 0 when it is not known
};

/// Activity::what of a run that was interrupted by a signal and is saving a checkpoint.
inline constexpr const char* stopping_activity = "interrupted, saving a checkpoint";

/// The end of the preparations, right before the first step.
struct TrainStart {
  std::vector<SummaryItem> found;  // lines of the summary that were not known at fit_start, such as the learning rate
  std::optional<LrFinderResult> lr_finder = {};  // when the LR finder was asked for the rate
};

/// One step: an optimizer update, or the attempt of one that a guard refused.
struct StepStats {
  std::int64_t step;        // the number of the update, from 1; a refused update leaves its number to the next step
  std::int64_t micro_step;  // batches of the run before this step
  Index epoch;              // from 1
  Index batch;              // the last batch of the step, from 1 in each epoch
  Index samples;            // in the batches of the step
  double loss;              // mean over the samples
  double ema_loss;          // debiased moving average of the losses of updates, with TrainerOptions::ema_beta
  double grad_norm;         // Euclidean norm of all gradients before clipping; 0 when there was no backward pass
  double lr;                // of this update, with the reductions by guards
  bool clipped = false;     // whether the gradients were scaled down to clip_norm
  bool updated = false;     // whether the update was made; known in step_end only
  std::span<const double> layer_norms{};  // gradient norm of each layer before clipping; valid during the call only
  // Of the samples of the step, in Guard::check_loss only. Null when a step has several batches, or a loss that is not
  // one of the library's for the task.
  const SampleLosses* sample_losses = nullptr;
};

/// A measurement of one layer in an update.
struct LayerStats {
  std::string name;     // as in Optimizer::layers()
  double grad_norm;     // Euclidean norm of all gradients of the layer, before clipping
  double grad_mean;     // mean of all gradient elements, with their signs
  double grad_max;      // largest absolute value of a gradient element
  double update_ratio;  // norm of the update over the norm of the weights; 0 when all weights are 0
  double dead_units;    // share of the layer's output units whose gradient is all zero; 0 for a layer without units
};

/// A measurement of all layers, made every TrainerOptions::log_every_n_steps.
struct LayerReport {
  std::int64_t step;               // the number of the update, from 1
  std::vector<LayerStats> layers;  // in the order of Optimizer::layers()
  // Those of the model, after the update, with the gradients that it was made from; valid during the call only.
  std::span<const Parameter> parameters = {};
};

/// An evaluation on the validation set. When a run without a validation set monitors the training loss, `evaluation`
/// has no samples.
struct EvaluationStats {
  std::int64_t step;      // optimizer updates so far
  Index epoch;            // from 1
  Evaluation evaluation;  // with all metrics
  double monitored;       // the value of TrainerOptions::monitor
  bool best;              // whether this evaluation is the best one now: see EarlyStopping
};

/// The end of an epoch.
struct EpochStats {
  Index epoch;                            // from 1
  std::int64_t step;                      // optimizer updates so far
  double lr;                              // of the last update
  double train_loss;                      // mean over the samples of the epoch's updates, as they were trained on
  std::vector<MetricValue> metrics = {};  // StepOutput::metrics, means over the same samples
  std::optional<Evaluation> validation;   // the last evaluation of the epoch; absent without a validation set
  double seconds;                         // of the epoch, with its evaluations
};

/// A fix that TrainerOptions::repair tries: told before its fit, and again when it is done.
struct RepairAttempt {
  std::string fix;      // its name
  std::string anomaly;  // what it may mend; empty when another fix that was kept made it worth a try
  double before = std::numeric_limits<double>::quiet_NaN();  // the mean validation loss without it
  bool done = false;                                         // whether what follows is known
  double after = std::numeric_limits<double>::quiet_NaN();   // the mean validation loss with it
  // The 95 % confidence interval of after - before, paired over groups of samples.
  double difference_low = std::numeric_limits<double>::quiet_NaN();
  double difference_high = std::numeric_limits<double>::quiet_NaN();
  bool kept = false;         // whether the program has the fix from now on
  std::string problem = {};  // why it could not be measured

  /// What came of it, in words, such as "kept".
  std::string outcome() const;
};

/// What became of TrainerOptions::refit. Told after the second fit, or when none was made.
struct Refit {
  bool kept = false;        // whether the model has the weights of the second fit
  std::string reason = {};  // why it has those of the first one; empty when `kept`
  // The second fit, as far as it came; 0 when none was made.
  Index rows = 0;                                                // trained on in an epoch
  Index epochs = 0;                                              // completed ones
  std::int64_t steps = 0;                                        // optimizer updates
  double train_loss = std::numeric_limits<double>::quiet_NaN();  // of its last completed epoch
  double seconds = 0;                                            // of its training
  std::string checkpoint = {};  // path of its newest checkpoint; empty when there is none
};

/// What became of TrainerOptions::calibrate.
struct Calibration {
  bool kept = false;        // whether the outputs of the model are divided by the temperature
  std::string reason = {};  // why not; empty when `kept`
  double temperature = 1;   // that of the lowest loss on the validation rows; above 1 for a model that is too sure
  Index rows = 0;           // that it was fitted to; 0 when it was not
  // The mean cross entropy of these rows, and their expected calibration error, without and with the temperature.
  double loss_before = std::numeric_limits<double>::quiet_NaN(), loss_after = loss_before;
  double error_before = std::numeric_limits<double>::quiet_NaN(), error_after = error_before;
};

/// Why a run ended.
enum class StopReason {
  finished,        // all epochs are done
  early_stopping,  // the monitored value has not improved for `patience` evaluations
  max_time,        // max_seconds have passed
  guard,           // a guard stopped the run: the last anomaly says why
  requested,       // Trainer::stop() was called
  interrupted,     // SIGINT or SIGTERM was received
  exception,       // an exception is leaving fit: seen by on_fit_end and sinks only
};
/// The reason in words, such as "stopped early".
const char* to_string(StopReason reason);

/// The best evaluation: see EarlyStopping. Its weights are restored when training ends, unless restore_best is off.
struct Best {
  Index epoch;            // from 1
  std::int64_t step;      // optimizer updates before the evaluation
  double value;           // the monitored value
  Evaluation evaluation;  // without group_losses and confusion matrix
};

/// How a run ended, and its results.
struct FitEnd {
  StopReason reason = StopReason::finished;  // what ended the fit, or cut the one of `refit` short
  int signal = 0;                            // the number of the signal that interrupted the run; 0 without one
  std::string exception = {};                // what() of the exception that ended the run; empty without one
  Index epochs = 0;                          // completed epochs
  std::int64_t steps = 0;                    // optimizer updates
  std::int64_t skipped = 0;                  // steps whose update was not made
  std::int64_t rollbacks = 0;                // how often the run returned to its last good state
  double lr = std::numeric_limits<double>::quiet_NaN();          // the peak of the schedule, before guards lowered it
  double train_loss = std::numeric_limits<double>::quiet_NaN();  // of the last completed epoch
  // The last evaluation. It has no confusion matrix when an earlier session of the run made it.
  std::optional<Evaluation> validation = {};
  std::string monitor = {};       // TrainerOptions::monitor, the name of the value that `best` is for
  std::optional<Best> best = {};  // absent when no evaluation was good
  bool best_restored = false;     // whether the model has the weights of `best` now
  // Those since fit or resume was called, in order of time; at most 100 warnings of a name.
  std::vector<Anomaly> anomalies = {};
  std::map<std::string, std::int64_t> anomaly_counts = {};  // how many of each name there were in that time
  std::vector<RepairAttempt> repairs = {};  // the fixes that TrainerOptions::repair has tried, in their order
  // What became of TrainerOptions::refit; absent without it. The figures above are of the first fit, but `reason` and
  // `signal` tell what cut the second one short, and `anomalies` has those of both.
  std::optional<Refit> refit = {};
  std::optional<Calibration> calibration = {};  // what became of TrainerOptions::calibrate; absent without it
  std::vector<SummaryItem> summary = {};        // that of FitStart, with what TrainStart::found has added or replaced
  std::string run_dir = {};                     // the directory of checkpoints, metrics.csv and report.html, absolute
  std::string checkpoint = {};                  // path of the newest checkpoint; empty when there is none
  std::string checkpoint_problem = {};          // why the last state could not be saved; empty when it was
  double seconds = 0;                           // of training, with the sessions before a resume
};

/// The end of one of several fits: that of a fold of cross_validate, or of a member of fit_ensemble.
struct PartEnd {
  const char* kind;                     // "fold" or "member"
  Index number;                         // from 1
  Index count;                          // how many there will be
  FitEnd fit;                           // of its own run, which reports nothing else
  std::optional<Evaluation> test = {};  // on the rows of the fold; absent for a member and an interrupted fold
};

}  // namespace handrail::train
