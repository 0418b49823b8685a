#pragma once

#include <memory>
#include <string>
#include <vector>

#include <handrail/train/report/events.h>

namespace handrail::train {

/// Receives the events of a run. Override the functions for the events you need; the others do nothing. The library
/// prints through sinks only.
/// Threads: a run calls its sinks from the thread that runs fit, one call at a time.
class LogSink {
 public:
  LogSink(const LogSink&) = delete;
  LogSink& operator=(const LogSink&) = delete;
  virtual ~LogSink() = default;
  /// Called before anything has changed. Throws an Error when the sink cannot work, such as over a link that would have
  /// another file written to; the run is then refused.
  virtual void check() const {}
  /// Called once, before the data is checked.
  virtual void fit_start(const FitStart&) {}
  /// Called often while the run makes no steps, such as during the checks and the sweep for the learning rate.
  virtual void activity(const Activity&) {}
  /// Called once, right before the first step.
  virtual void train_start(const TrainStart&) {}
  /// Called after every step, whether its update was made or not.
  virtual void step_end(const StepStats&) {}
  /// Called every log_every_n_steps.
  virtual void layers(const LayerReport&) {}
  /// Called after every evaluation.
  virtual void evaluated(const EvaluationStats&) {}
  /// Called after every completed epoch and its evaluation.
  virtual void epoch_end(const EpochStats&) {}
  /// Called for every anomaly, before and during training.
  virtual void anomaly(const Anomaly&) {}
  /// Called once, at the end of the run, also when an exception ends it.
  virtual void fit_end(const FitEnd&) {}
  /// Called between fits, before and after the one with a fix that TrainerOptions::repair tries.
  virtual void repair(const RepairAttempt&) {}
  /// Called once after fit_end, when TrainerOptions::refit is on. The second fit sends activities, which count its
  /// steps, and anomalies.
  virtual void refit(const Refit&) {}
  /// Called after each fit of cross_validate and fit_ensemble. Besides, they send activities only, which count epochs.
  virtual void part_end(const PartEnd&) {}
  /// What the sink has failed to do since the last call, in words; empty when there was nothing. Asked after
  /// evaluations and epochs and before the end of the run, which reports it as the anomaly "metrics_log": a sink that
  /// fails to write must not end a run.
  virtual std::string take_problem() { return {}; }

 protected:
  LogSink() = default;
};

/// Sinks in the order in which they are called. Several runs may share a sink, one after another.
using LogSinks = std::vector<std::shared_ptr<LogSink>>;

/// The default of TrainerOptions::sinks: the console on stdout.
LogSinks default_sinks();

/// Keeps all events except activities in vectors, for tests and for programs that draw their own curves.
class MemorySink : public LogSink {
 public:
  void fit_start(const FitStart& event) override { starts.push_back(event); }
  void train_start(const TrainStart& event) override { train_starts.push_back(event); }
  void step_end(const StepStats& event) override {
    steps.push_back(event);
    steps.back().layer_norms = {};  // valid during the call only
  }
  void layers(const LayerReport& event) override {
    layer_reports.push_back(event);
    layer_reports.back().parameters = {};  // valid during the call only
  }
  void evaluated(const EvaluationStats& event) override { evaluations.push_back(event); }
  void epoch_end(const EpochStats& event) override { epochs.push_back(event); }
  void anomaly(const Anomaly& event) override { anomalies.push_back(event); }
  void fit_end(const FitEnd& event) override { results.push_back(event); }
  void repair(const RepairAttempt& event) override { repairs.push_back(event); }
  void refit(const Refit& event) override { refits.push_back(event); }
  void part_end(const PartEnd& event) override { parts.push_back(event); }

  /// The events of one kind, in order of time, of all runs that had this sink.
  std::vector<FitStart> starts;
  std::vector<TrainStart> train_starts;
  std::vector<StepStats> steps;
  std::vector<LayerReport> layer_reports;
  std::vector<EvaluationStats> evaluations;
  std::vector<EpochStats> epochs;
  std::vector<Anomaly> anomalies;
  std::vector<FitEnd> results;
  std::vector<RepairAttempt> repairs;
  std::vector<Refit> refits;
  std::vector<PartEnd> parts;
};

}  // namespace handrail::train
