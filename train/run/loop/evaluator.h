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

  /// Whether val_check_interval steps have been made since the last evaluation that is due.
  bool due() const;
  /// Evaluates the validation set, or without one looks at the training figures so far when those are monitored.
  /// Returns false, and nothing has happened, when a signal came meanwhile.
  bool run();
  /// The evaluation of this step: that of run(), made again when it was before the run was interrupted. Nothing without
  /// a validation set; `interrupted` when a signal came meanwhile.
  bool run_at_epoch_end(std::optional<Evaluation>& evaluation);
  /// On the validation set; nothing without one. Throws Interrupted.
  std::optional<Evaluation> measure();
  /// The figure that TrainerOptions::monitor names. Throws OptionError listing those there are.
  double monitored(const Evaluation& evaluation, const Position& at) const;

  /// An earlier evaluation, of this session or of one before, has used up the patience.
  bool has_stopped() const { return early_stopping_.stop(); }
  const std::optional<Best>& best() const { return best_; }
  /// The model gets the weights of the best evaluation; returns whether there is one.
  bool restore_best() const;
  /// Whether there was a new best evaluation since the last call with `forget`.
  bool has_improved() const { return improved_; }
  void forget_improvement() { improved_ = false; }

  void save(TrainingState& state);
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
