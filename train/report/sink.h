#pragma once

#include <memory>
#include <vector>

#include <handrail/train/report/events.h>

namespace handrail::train {

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
  virtual void fit_end(const FitEnd&) {}

 protected:
  LogSink() = default;
};

using LogSinks = std::vector<std::shared_ptr<LogSink>>;

/// The sinks of a run that names none: the console, on stdout.
LogSinks default_sinks();

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
  void fit_end(const FitEnd& event) override { results.push_back(event); }

  std::vector<FitStart> starts;
  std::vector<TrainStart> train_starts;
  std::vector<StepStats> steps;
  std::vector<LayerReport> layer_reports;
  std::vector<EvaluationStats> evaluations;
  std::vector<EpochStats> epochs;
  std::vector<Anomaly> anomalies;
  std::vector<FitEnd> results;
};

}  // namespace handrail::train
