#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include <handrail/train/run/loop/evaluator.h>
#include <handrail/train/run/loop/explain.h>
#include <handrail/train/run/loop/good_state.h>
#include <handrail/train/run/loop/guards.h>
#include <handrail/train/run/loop/layer_meter.h>
#include <handrail/train/run/loop/saver.h>

namespace handrail::train {

/// The training loop: the only one, and the only place where a model is updated. The LR finder, the check that one
/// batch can be learnt, and the arms of try_fix make their steps with it too, at a quiet desk.
class Loop {
 public:
  /// schedule: the rate of each step, from 1. sealed: off lets values that are not finite into the model. There are no
  /// guards until guards.add_all.
  Loop(const Setup& setup, const optim::Schedule& schedule, Desk& desk, Stop& stop, bool sealed);
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  /// From where the run is to its end, whatever ends it.
  void run();
  /// One optimizer step: forward, guards, backward, guards, clipping, update, guards. Returns what it came to.
  StepStats step(const MicroBatches& batches);
  /// Lowers the rate, rolls back or stops.
  void act(const Verdict& verdict);

  TrainingState capture();
  /// Into a run that has not begun; the rate is as decided. The model comes last: when something does not fit it is as
  /// it was. Throws CheckpointError.
  void restore(const TrainingState& state);
  /// The present state becomes the one to go back to, and a checkpoint when one is due; unless training has diverged.
  void keep_progress();

  Position at;
  BufferCopy buffers;
  GoodState good;
  Guards guards;
  Evaluator evaluator;
  Saver saver;
  std::map<std::string, std::string> settings;  // what must be the same on resume

 private:
  Verdict attempt(const MicroBatches& batches, StepStats& stats);
  Verdict update(StepStats& stats);
  Verdict accept(StepStats& stats);
  bool is_measured(const StepStats& stats) const;
  void tell(const StepStats& stats) const;
  void roll_back();
  void start_epoch();
  void end_epoch();

  const Setup& setup_;
  const optim::Schedule& schedule_;
  Desk& desk_;
  Stop& stop_;
  std::unique_ptr<LayerMeter> meter_;      // none at a quiet desk
  std::vector<MetricValue> step_metrics_;  // means over the samples of the step
  double epoch_start_ = 0;                 // as Stop::now() gave it
};

}  // namespace handrail::train
