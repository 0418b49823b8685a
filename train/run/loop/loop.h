#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <handrail/train/run/loop/evaluator.h>
#include <handrail/train/run/loop/good_state.h>
#include <handrail/train/run/loop/guards.h>
#include <handrail/train/run/loop/layer_meter.h>
#include <handrail/train/run/loop/repeat/verifier.h>
#include <handrail/train/run/loop/saver.h>

namespace handrail::train {

/// The training loop. It is the only one in the library, and the only place where a model is updated: the LR finder,
/// the overfit_batch check and the arms of try_fix use its step() too, with a quiet desk.
class Loop {
 public:
  /// schedule: the learning rate of each step, from 1. sealed: false lets values that are not finite into the model.
  /// The loop has no guards before guards.add_all is called.
  Loop(const Setup& setup, const optim::Schedule& schedule, Desk& desk, Stop& stop, bool sealed);
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  /// Trains from the present position to the end of the run.
  void run();
  /// Makes one optimizer step: forward, guards, backward, guards, clipping, update, guards. Returns its statistics.
  StepStats step(const MicroBatches& batches);
  /// Does what a verdict asks for: lowers the rate, rolls back or stops.
  void act(const Verdict& verdict);

  /// Returns a copy of the present state.
  TrainingState capture();
  /// Restores a state and its last good one before the run begins. The peak rate and the schedule stay as decided. The
  /// model is changed last: it is unchanged when something does not fit. Throws CheckpointError.
  void restore(const TrainingState& state);
  /// Does what was still to be done at the position that was restored: evaluates, ends the epoch, keeps the good state.
  void catch_up();

  Position at;
  BufferCopy buffers;
  GoodState good;
  Guards guards;
  Evaluator evaluator;
  Saver saver;
  std::map<std::string, std::string> settings;  // the fingerprint, which must be the same on resume

 private:
  void capture(TrainingState& state);
  void load(const TrainingState& state);
  bool is_good() const;
  void keep_good();
  void save_if_due();
  Verdict attempt(const MicroBatches& batches, StepStats& stats);
  Verdict verify(const MicroBatches& batches, StepStats& stats);
  Verdict check_loss(StepStats& stats, const Tensor& predictions, const Tensor& targets);
  Verdict update(StepStats& stats);
  Verdict accept(StepStats& stats);
  bool is_measured(const StepStats& stats) const;
  void report(const StepStats& stats);
  void roll_back();
  void start_epoch();
  void end_epoch();

  const Setup& setup_;
  const optim::Schedule& schedule_;
  Desk& desk_;
  Stop& stop_;
  std::unique_ptr<LayerMeter> meter_;      // null with a quiet desk
  std::unique_ptr<Verifier> verifier_;     // null with a quiet desk, and when no step is verified
  std::vector<MetricValue> step_metrics_;  // StepOutput::metrics, averaged over the samples of the step
  double epoch_start_ = Stop::now();       // of the epoch under way, or of its part in this session
};

}  // namespace handrail::train
