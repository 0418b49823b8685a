#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include <handrail/train/report/events.h>

namespace handrail::train {

/// What a guard found, and what it wants done about it.
struct Finding {
  Anomaly anomaly;       // its action is the proposed one
  double lr_factor = 1;  // of the rate from now on, for reduce_lr and rollback
};

/// Judges a training run as it goes. A guard is a small state machine over the statistics and does
/// nothing itself: the Trainer acts on its findings. Steps come in order; of one step the calls are
/// check_loss, check_gradients, and accepted when the update was made.
class Guard {
 public:
  Guard() = default;
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;
  virtual ~Guard() = default;

  /// "spike", say; also the key of its state in checkpoints.
  virtual const char* name() const = 0;
  /// Before backward: the gradient norms are not known yet.
  virtual std::optional<Finding> check_loss(const StepStats&) { return std::nullopt; }
  /// After backward, before clipping and update.
  virtual std::optional<Finding> check_gradients(const StepStats&) { return std::nullopt; }
  /// The update was made. A finding here can only warn or roll back.
  virtual std::optional<Finding> accepted(const StepStats&) { return std::nullopt; }
  virtual std::optional<Finding> epoch_end(const EpochStats&) { return std::nullopt; }
  /// The last good state was restored: windows over losses begin anew, counts of attempts stay.
  virtual void rolled_back() {}

  /// What it remembers, for checkpoints; load_state takes what state gave, of any length, and
  /// returns false, changing nothing, when it does not understand it.
  virtual std::vector<double> state() const { return {}; }
  virtual bool load_state(std::span<const double> state) { return state.empty(); }
};

}  // namespace handrail::train
