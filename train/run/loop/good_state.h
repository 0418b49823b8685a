#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <utility>

#include <handrail/train/run/loop/attempt.h>
#include <handrail/train/run/loop/position.h>

namespace handrail::train {

/// The last state of a run that is worth going back to, and whether the present one is.
class GoodState {
 public:
  GoodState(const Setup& setup, const Position& at, BufferCopy& buffers) : setup_(setup), at_(at), buffers_(buffers) {}

  /// Keeps the state unless a moment of its optimizer is not finite.
  void keep(TrainingState state);
  const TrainingState& state() const { return state_; }
  void set_state(TrainingState state) { state_ = std::move(state); }
  /// Weights, buffers and moments become those of the state.
  void restore();

  /// Measures the loss of the initial weights: a loss more than ten times as far above it is a state that nobody wants
  /// back. Does nothing when a loss is not finite. `poll` is called before each of the batches.
  void measure_start(const std::function<void(Index done, Index total)>& poll);
  /// The loss above which a state is not worth going back to; infinity when it is not known.
  double healthy_below() const { return healthy_below_; }
  void set_healthy_below(double loss) { healthy_below_ = loss; }
  /// Whether the loss with the weights as they are now is below that. The losses of the steps are not asked: they come
  /// before the updates. Buffers and random streams are left as they are.
  bool is_healthy();

 private:
  double loss_of(Index batch, Index draw) const;

  const Setup& setup_;
  const Position& at_;
  BufferCopy& buffers_;
  TrainingState state_;
  double healthy_below_ = std::numeric_limits<double>::infinity();
  std::int64_t measured_at_ = -1;  // the micro_step of the last measurement
  bool was_healthy_ = true;        // then
};

}  // namespace handrail::train
