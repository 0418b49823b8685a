#pragma once

#include <optional>

#include <handrail/train/guards/early_stopping.h>
#include <handrail/train/run/loop/good_state.h>
#include <handrail/train/run/loop/stop.h>

namespace handrail::train {

/// Measures the model on the validation set, keeps the best weights, and stops early.
class Evaluator {
 public:
  Evaluator(const Setup& setup, Desk& desk, Stop& stop, Position& at, GoodState& good);

  /// Whether the present step is a multiple of val_check_interval and was not evaluated yet.
  bool due() const;
  /// Evaluates the validation set. Without one, it takes the monitored value of the training so far, if there is one.
  /// Returns false when a signal interrupted it; nothing has changed then.
  bool run();
  /// Gives the evaluation of the last step of an epoch: that of run(), in this session of the run or an earlier one.
  /// `evaluation` stays empty without a validation set. Returns false when a signal interrupted it.
  bool run_at_epoch_end(std::optional<Evaluation>& evaluation);
  /// Evaluates the validation set and returns the result; nothing without one. Throws Interrupted when a signal comes.
  std::optional<Evaluation> measure();
  /// The value that TrainerOptions::monitor names. Throws OptionError listing the known values when there is none.
  double monitored(const Evaluation& evaluation, const Position& at) const;

  /// Whether the patience is used up, in this session of the run or an earlier one.
  bool has_stopped() const { return early_stopping_.stop(); }
  /// The last evaluation; nothing when there is none.
  const std::optional<Evaluation>& last() const { return last_; }
  /// The best evaluation; nothing when there is none.
  const std::optional<Best>& best() const { return best_; }
  /// Copies the weights of the best evaluation into the model. Returns whether there is one.
  bool restore_best() const;
  /// Whether there was a new best evaluation since the last call of forget_improvement().
  bool has_improved() const { return improved_; }
  void forget_improvement() { improved_ = false; }

  /// Adds to the state what the evaluator remembers.
  void save(TrainingState& state);
  /// Takes it from the state. Throws CheckpointError when it is missing or malformed.
  void load(const TrainingState& state);

 private:
  bool measure_validation();
  void keep_best(double value, const Evaluation& evaluation);
  void report(const EvaluationStats& stats);

  const Setup& setup_;
  Desk& desk_;
  Stop& stop_;
  Position& at_;
  GoodState& good_;
  EarlyStopping early_stopping_;
  std::optional<Evaluation> last_;
  std::optional<Best> best_;
  NamedTensors best_parameters_, best_buffers_;
  bool improved_ = false;
};

}  // namespace handrail::train
