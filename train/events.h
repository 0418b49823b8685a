#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <handrail/core/scalar.h>

namespace handrail::train {

/// A mean loss over samples, and the share of right predictions where the task has one.
struct Evaluation {
  double loss = 0;
  std::optional<double> accuracy = {};
  Index samples = 0;
};

/// One line of the summary before training. Every protection has one; `off` marks an opt-out.
struct SummaryItem {
  std::string name;
  std::string value;
  bool off = false;
};

/// Before the first step.
struct FitStart {
  std::vector<SummaryItem> summary;
  Index epochs;
  Index steps_per_epoch;
  std::int64_t planned_steps;
};

/// What a step came to, known before the update is made.
struct StepStats {
  std::int64_t step;        // the optimizer update this would be, from 1
  std::int64_t micro_step;  // batches seen before this one
  Index epoch;              // from 1
  Index batch;              // in the epoch, from 1
  Index samples;            // in the batch
  double loss;
  double grad_norm;  // before clipping
  double lr;
};

struct EpochStats {
  Index epoch;  // from 1
  std::int64_t step;
  double train_loss;  // the mean over the samples of the epoch, as they were trained on
  std::optional<Evaluation> validation;
  double seconds;  // with its validation
};

/// Something that went wrong, or that the user should know.
struct Anomaly {
  std::string name;  // "non_finite", say
  std::int64_t step;
  std::string text;  // what happened, what was done, what to do
};

enum class StopReason {
  finished,   // all epochs done
  guard,      // a guard said stop: the last anomaly tells why
  requested,  // a hook called stop()
  exception,  // for on_fit_end and sinks only: fit itself throws
};
const char* to_string(StopReason reason);

/// What fit returns.
struct FitResult {
  StopReason reason = StopReason::finished;
  Index epochs = 0;                                              // completed
  std::int64_t steps = 0;                                        // optimizer updates
  std::int64_t skipped = 0;                                      // batches whose update was not made
  double train_loss = std::numeric_limits<double>::quiet_NaN();  // of the last epoch completed
  std::optional<Evaluation> validation = {};
  std::vector<Anomaly> anomalies = {};
  double seconds = 0;
};

/// Where a Trainer reports to. The library prints nothing itself; all functions do nothing here.
/// Calls come from the thread that runs fit, one at a time.
class LogSink {
 public:
  LogSink(const LogSink&) = delete;
  LogSink& operator=(const LogSink&) = delete;
  virtual ~LogSink() = default;
  virtual void fit_start(const FitStart&) {}
  virtual void step_end(const StepStats&) {}
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
  void step_end(const StepStats& event) override { steps.push_back(event); }
  void epoch_end(const EpochStats& event) override { epochs.push_back(event); }
  void anomaly(const Anomaly& event) override { anomalies.push_back(event); }
  void fit_end(const FitResult& event) override { results.push_back(event); }

  std::vector<FitStart> starts;
  std::vector<StepStats> steps;
  std::vector<EpochStats> epochs;
  std::vector<Anomaly> anomalies;
  std::vector<FitResult> results;
};

}  // namespace handrail::train
