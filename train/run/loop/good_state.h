#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <utility>

#include <handrail/train/run/loop/attempt.h>
#include <handrail/train/run/loop/position.h>

namespace handrail::train {

/// The last good state of a run, which a rollback restores, and the test whether the present state is good.
class GoodState {
 public:
  GoodState(const Setup& setup, const Position& at, BufferCopy& buffers) : setup_(setup), at_(at), buffers_(buffers) {}

  /// Makes it the last good state, unless a moment of its optimizer is not finite.
  void keep(TrainingState state);
  const TrainingState& state() const { return state_; }
  void set_state(TrainingState state) { state_ = std::move(state); }
  /// Restores the parameters, buffers and moments of the last good state.
  void restore();

  /// Measures the loss of the initial weights on ten batches, and sets healthy_below to mean + 10 max(mean magnitude,
  /// standard deviation) of these. Does nothing when a loss is not finite. `poll` is called before each batch.
  void measure_start(const std::function<void(Index done, Index total)>& poll);
  /// The highest loss of a good state; infinity when it is not known.
  double healthy_below() const { return healthy_below_; }
  void set_healthy_below(double loss) { healthy_below_ = loss; }
  /// Whether one of three batches has a loss of at most healthy_below() with the present weights. The losses of the
  /// steps cannot tell, because they were computed before the updates. Buffers and random streams are unchanged
  /// afterwards.
  bool is_healthy();

 private:
  double loss_of(Index batch, Index draw) const;

  const Setup& setup_;
  const Position& at_;
  BufferCopy& buffers_;
  TrainingState state_;
  double healthy_below_ = std::numeric_limits<double>::infinity();
  std::int64_t measured_at_ = -1;  // the micro_step of the last measurement
  bool was_healthy_ = true;        // its result
};

}  // namespace handrail::train
