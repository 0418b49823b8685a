#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <handrail/core/scalar.h>
#include <handrail/train/metrics/evaluation.h>
#include <handrail/train/report/anomaly.h>

namespace handrail::train {

/// One line of the summary before training. Every protection has one.
struct SummaryItem {
  std::string name;
  std::string value;
  bool off = false;    // a protection that is off; the value says what may happen without it
  bool limit = false;  // a limit that is on, such as fast_dev_run: this is not a complete training run
};

/// Before the first step.
struct FitStart {
  std::vector<SummaryItem> summary;
  Index epochs;
  Index batches_per_epoch;
  std::int64_t planned_steps;
};

/// What a run is doing before its first step, or wherever else seconds may pass without one: for a live line. Comes
/// often; what it points to is valid during the call.
struct Activity {
  const char* what;  // "checking the data", "LR finder"
  Index done;        // of `total`, from 0; what is counted depends on the activity
  Index total;       // 0 when it is not known
};

/// The activity of a run that a signal has stopped.
inline constexpr const char* stopping_activity = "interrupted, saving a checkpoint";

/// After the checks and the choice of the rate, right before the first step.
struct TrainStart {
  std::vector<SummaryItem> found;  // lines of the summary that were not known at fit_start, the rate among them
};

/// What a step came to: one optimizer update, or one that was not made.
struct StepStats {
  std::int64_t step;        // the optimizer update this would be, from 1
  std::int64_t micro_step;  // batches seen before this step
  Index epoch;              // from 1
  Index batch;              // in the epoch, from 1; the last one of the step
  Index samples;            // of the step
  double loss;              // mean over the samples
  double ema_loss;          // of the steps accepted so far, this one too; beta 0.99, debiased
  double grad_norm;         // before clipping
  double lr;
  bool clipped = false;
  bool updated = false;                   // whether the update was made; only step_end knows
  std::span<const double> layer_norms{};  // gradient norms before clipping, one a layer; valid during the call
};

/// The state of one layer, measured every `log_every` steps.
struct LayerStats {
  std::string name;
  double grad_norm;
  double grad_mean;
  double grad_max;      // of absolute values
  double update_ratio;  // norm of the last update over the norm of the weights
  double dead_units;    // share of output units that got no gradient from this step
};

/// A measurement of all layers.
struct LayerReport {
  std::int64_t step;
  std::vector<LayerStats> layers;
};

/// A measurement on the validation set.
struct EvaluationStats {
  std::int64_t step;
  Index epoch;
  Evaluation evaluation;
  double monitored;  // the value early stopping looks at
  bool best;         // whether it is the best so far
};

struct EpochStats {
  Index epoch;  // from 1
  std::int64_t step;
  double lr;
  double train_loss;                      // the mean over the samples of the epoch, as they were trained on
  std::vector<MetricValue> metrics = {};  // means over the same samples: StepOutput::metrics
  std::optional<Evaluation> validation;
  double seconds;  // with its validation
};

enum class StopReason {
  finished,        // all epochs done
  early_stopping,  // the monitored value has not improved for `patience` evaluations
  max_time,        // the time given is used up
  guard,           // a guard said stop: the last anomaly tells why
  requested,       // a hook called stop()
  interrupted,     // by SIGINT or SIGTERM
  exception,       // for on_fit_end and sinks only: fit itself throws
};
const char* to_string(StopReason reason);

/// The evaluation with the best monitored value; its weights are restored when training ends.
struct Best {
  Index epoch;
  std::int64_t step;
  double value;
  Evaluation evaluation;
};

/// How a run ended, and what came of it.
struct FitEnd {
  StopReason reason = StopReason::finished;
  int signal = 0;                                                // what it was interrupted by
  Index epochs = 0;                                              // completed
  std::int64_t steps = 0;                                        // optimizer updates
  std::int64_t skipped = 0;                                      // steps whose update was not made
  std::int64_t rollbacks = 0;                                    // returns to the last good state
  double lr = std::numeric_limits<double>::quiet_NaN();          // the peak rate
  double train_loss = std::numeric_limits<double>::quiet_NaN();  // of the last epoch completed
  std::optional<Evaluation> validation = {};                     // the last one
  std::string monitor = {};                                      // the name of the value that `best` is about
  std::optional<Best> best = {};
  bool best_restored = false;                               // whether the model has the weights of `best` now
  std::vector<Anomaly> anomalies = {};                      // in order; at most 100 warnings of a kind
  std::map<std::string, std::int64_t> anomaly_counts = {};  // of all, by name
  std::vector<SummaryItem> summary = {};
  std::string run_dir = {};             // where checkpoints and metrics.csv are
  std::string checkpoint = {};          // path of the newest, when there are any
  std::string checkpoint_problem = {};  // why the last state could not be saved; empty when it was
  double seconds = 0;
};

}  // namespace handrail::train
