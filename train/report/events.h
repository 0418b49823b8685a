#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <handrail/core/error.h>
#include <handrail/core/scalar.h>
#include <handrail/train/metrics/confusion.h>
#include <handrail/train/lr/lr_finder.h>

namespace handrail {

/// A figure that was asked for and not measured; the text says why, and lists those that were.
struct MetricError : Error {
  using Error::Error;
};

}  // namespace handrail

namespace handrail::train {

/// The value of a metric, by its name: {"f1", 0.93}.
struct MetricValue {
  std::string name;
  double value;
};

/// What was measured on a data set.
struct Evaluation {
  double loss = 0;                               // the mean over samples
  std::optional<double> measured_accuracy = {};  // see Task; nothing for regression, or without predictions
  Index samples = 0;
  std::vector<MetricValue> metrics = {};  // of TrainerOptions::metrics, then of StepOutput::metrics
  std::vector<double> group_losses = {};  // of at least 30 fixed groups of samples, when there are as many samples
  // Of up to 100 classes, one label a row. Checkpoints do not keep it.
  std::optional<Confusion> measured_confusion = {};

  /// The accuracy. Throws MetricError, saying why, when there is none.
  double accuracy() const;
  /// The metric of that name: metric("f1"). Throws MetricError listing those there are.
  double metric(std::string_view name) const;
  /// Which classes were taken for which. Throws MetricError, saying why, when there is none.
  Confusion confusion() const;
};

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

/// What is to be done about a step; the gravest of several counts.
enum class Action {
  proceed,    // nothing
  skip,       // no update: parameters, buffers and moments stay as they were before the step
  reduce_lr,  // skip, and lower the rate for the rest of the run
  rollback,   // back to the last good state, at a lower rate
  stop,       // end training, with the last good state
};
const char* to_string(Action action);

/// Something that went wrong, or that the user should know.
struct Anomaly {
  std::string name;        // "non_finite", "spike", "input_scale", ...
  std::int64_t step = 0;   // the optimizer step; 0 before the first
  std::string where = {};  // layer, op or row of data, when it is known
  std::string evidence;    // what was measured
  std::string cause;       // the likely one
  std::string remedy;      // one line to try
  Action action = Action::proceed;
  std::string details = {};  // more measurements, for whoever looks for the cause

  /// What happened, where, what is done about it and what to try, in one short line.
  std::string headline() const;
  /// All of it except the name and the step, in one long line.
  std::string text() const;
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

/// What fit returns.
struct FitResult {
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
  std::optional<LrFinderResult> lr_finder = {};  // when it was asked for the rate
  std::string run_dir = {};                      // where checkpoints and metrics.csv are
  std::string checkpoint = {};                   // path of the newest, when there are any
  std::string checkpoint_problem = {};           // why the last state could not be saved; empty when it was
  double seconds = 0;

  /// For main to return: 0; 1 when the last state could not be saved; 128 and the number of the signal when
  /// interrupted, as shells have it.
  int exit_status() const;
  /// The anomalies as a diagnosis: the first of each name, likely causes before what they lead to: data and
  /// model as they were before the first step, then values that are not finite, the rate, the labels, and
  /// symptoms such as dead units at last; in order of time among equals.
  std::vector<Anomaly> diagnosis() const;
  /// The diagnosis as text for people: a line for each anomaly, with all that was measured. Empty without anomalies.
  std::string diagnosis_text() const;
};

/// Where a Trainer reports to. The library prints nothing itself; all functions do nothing here.
/// Calls come from the thread that runs fit, one at a time.
class LogSink {
 public:
  LogSink(const LogSink&) = delete;
  LogSink& operator=(const LogSink&) = delete;
  virtual ~LogSink() = default;
  virtual void fit_start(const FitStart&) {}
  virtual void activity(const Activity&) {}
  virtual void train_start(const TrainStart&) {}
  virtual void step_end(const StepStats&) {}
  virtual void layers(const LayerReport&) {}
  virtual void evaluated(const EvaluationStats&) {}
  virtual void epoch_end(const EpochStats&) {}
  virtual void anomaly(const Anomaly&) {}
  virtual void fit_end(const FitResult&) {}

 protected:
  LogSink() = default;
};

using LogSinks = std::vector<std::shared_ptr<LogSink>>;

/// Keeps all events, for tests and for programs that draw their own curves.
class MemorySink : public LogSink {
 public:
  void fit_start(const FitStart& event) override { starts.push_back(event); }
  void train_start(const TrainStart& event) override { train_starts.push_back(event); }
  void step_end(const StepStats& event) override {
    steps.push_back(event);
    steps.back().layer_norms = {};  // gone after the call
  }
  void layers(const LayerReport& event) override { layer_reports.push_back(event); }
  void evaluated(const EvaluationStats& event) override { evaluations.push_back(event); }
  void epoch_end(const EpochStats& event) override { epochs.push_back(event); }
  void anomaly(const Anomaly& event) override { anomalies.push_back(event); }
  void fit_end(const FitResult& event) override { results.push_back(event); }

  std::vector<FitStart> starts;
  std::vector<TrainStart> train_starts;
  std::vector<StepStats> steps;
  std::vector<LayerReport> layer_reports;
  std::vector<EvaluationStats> evaluations;
  std::vector<EpochStats> epochs;
  std::vector<Anomaly> anomalies;
  std::vector<FitResult> results;
};

}  // namespace handrail::train
