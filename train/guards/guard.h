#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>

#include <handrail/core/error.h>
#include <handrail/train/math/state_visitor.h>
#include <handrail/train/report/events.h>

namespace handrail::train {

/// The number of rollbacks that a guard of the library asks for in one run, at most.
inline constexpr Index max_rollbacks = 3;

/// A gradient norm of a layer below this has vanished.
inline constexpr double vanishing_norm = 1e-7;
/// For how many steps in a row a layer must have no gradient, or too small or too large a one, to be reported.
inline constexpr std::int32_t layer_patience = 20;

/// Returns whether the layer of that number in StepStats::layer_norms has a parameter that is trained now.
using IsTrained = std::function<bool(std::size_t layer)>;

/// Watches a training run. A guard changes nothing itself. Its functions return an anomaly, and the Trainer does what
/// Anomaly::action says, unless Recipe::on_anomaly answers otherwise. Recipe::configure_guards adds guards of your own.
///
/// The calls of one step, in this order:
///   check_loss        before the backward pass
///   check_gradients   after the backward pass, before clipping and update
///   update_refused    when the update would not be finite, or else
///   accepted          after the update
///   layers_measured   after that, every log_every_n_steps steps
/// A step that a verdict ends, such as Action::skip, has no further calls; the next attempt has the same step number.
/// epoch_end follows the last step of an epoch. All calls come from one thread.
class Guard {
 public:
  Guard() = default;
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;
  virtual ~Guard() = default;

  /// The key of its state in checkpoints, for example "loss". No two guards of a run may have the same name.
  virtual const char* name() const = 0;

  /// Called before the backward pass. The gradient norms in the statistics are not known yet.
  virtual std::optional<Anomaly> check_loss(const StepStats&) { return std::nullopt; }
  /// Called after the backward pass, before clipping and update.
  virtual std::optional<Anomaly> check_gradients(const StepStats&) { return std::nullopt; }
  /// Called when the update was not made because it would have left a parameter or a moment that is not finite.
  /// error.where names that parameter.
  virtual std::optional<Anomaly> update_refused(const StepStats&, const NonFiniteError& /*error*/) {
    return std::nullopt;
  }
  /// Called when the update was made. Action::skip comes too late for it; Action::reduce_lr holds for the next steps.
  virtual std::optional<Anomaly> accepted(const StepStats&) { return std::nullopt; }
  /// Called after an update with a measurement of all layers, every TrainerOptions::log_every_n_steps steps.
  virtual std::optional<Anomaly> layers_measured(const LayerReport&) { return std::nullopt; }
  /// Called after the last step of an epoch and its evaluation.
  virtual std::optional<Anomaly> epoch_end(const EpochStats&) { return std::nullopt; }

  /// Whether the present state of the model may become the one that a rollback restores, and be saved as a checkpoint.
  virtual bool is_good_state() const { return true; }
  /// Whether a step that is not finite, and in which this guard found something, is replayed, so that the anomaly names
  /// the row, op or layer where it began.
  virtual bool wants_replay() const { return false; }
  /// Called after the last good state was restored. Forget recent losses here, but keep counts of attempts.
  virtual void rolled_back() {}

  /// Reads or writes what the guard remembers, for checkpoints: see StateVisitor. Default: nothing.
  virtual void visit_state(StateVisitor&) {}
};

}  // namespace handrail::train
