#pragma once

#include <optional>

#include <handrail/core/error.h>
#include <handrail/train/math/state_visitor.h>
#include <handrail/train/report/events.h>

namespace handrail::train {

/// Watches a training run. A guard is a small state machine over the statistics of the steps and does nothing itself: it
/// returns an anomaly, and the Trainer acts on it as Anomaly::action says, unless Trainer::on_anomaly answers otherwise.
/// Steps come in order. Of one step the calls are check_loss, check_gradients, and then accepted or update_refused;
/// every log_every_n_steps layers_measured follows. Recipe::configure_guards adds guards of your own.
class Guard {
 public:
  Guard() = default;
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;
  virtual ~Guard() = default;

  /// "spike", say; also the key of its state in checkpoints, so that it must be different for each guard of a run.
  virtual const char* name() const = 0;

  /// Called before backward: the gradient norms are not known yet.
  virtual std::optional<Anomaly> check_loss(const StepStats&) { return std::nullopt; }
  /// Called after backward, before clipping and update.
  virtual std::optional<Anomaly> check_gradients(const StepStats&) { return std::nullopt; }
  /// Called when the update was not made, as it would have left a parameter or moment that is not finite: error.where
  /// names it.
  virtual std::optional<Anomaly> update_refused(const StepStats&, const NonFiniteError& /*error*/) {
    return std::nullopt;
  }
  /// Called when the update was made: Action::skip and Action::reduce_lr come too late for it.
  virtual std::optional<Anomaly> accepted(const StepStats&) { return std::nullopt; }
  /// Called with a measurement of all layers after an update, every log_every_n_steps.
  virtual std::optional<Anomaly> layers_measured(const LayerReport&) { return std::nullopt; }
  /// Called after the last step of an epoch and its evaluation.
  virtual std::optional<Anomaly> epoch_end(const EpochStats&) { return std::nullopt; }

  /// Whether the present state of the model is one to go back to.
  virtual bool is_good_state() const { return true; }
  /// Whether a step in which it finds something is to be replayed, to name the row, op or layer where it began.
  virtual bool wants_replay() const { return false; }
  /// The last good state was restored: windows over losses begin anew, counts of attempts stay.
  virtual void rolled_back() {}

  /// Names what it remembers, for checkpoints: see StateVisitor. Default: nothing.
  virtual void visit_state(StateVisitor&) {}
};

}  // namespace handrail::train
