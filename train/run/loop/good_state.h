#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <utility>

#include <handrail/train/math/state_visitor.h>
#include <handrail/train/run/loop/attempt.h>
#include <handrail/train/run/loop/position.h>

namespace handrail::train {

/// The last good state of a run, which a rollback restores, and the test whether the present state is good.
///
/// The present state is kept as the last good one, when it is good, after each evaluation, at the end of each epoch,
/// and whenever the number of steps is a multiple of 1,000. This depends on steps alone, and not on the time or on when
/// checkpoints are written, because the weights of a run that rolls back depend on it. A thousand steps are enough for
/// the cost to be small: at most three forward passes and a copy of weights, moments and buffers.
class GoodState {
 public:
  GoodState(const Setup& setup, const Position& at, BufferCopy& buffers) : setup_(setup), at_(at), buffers_(buffers) {}

  /// Whether it is time to keep the present state, and that was not tried yet.
  bool due() const;
  /// From here on due() is false for the present position.
  void note_attempt();
  const TrainingState& state() const { return state_; }
  /// Makes the present state the last good one: write(state) writes it over the one before.
  template <class Write>
  void keep(Write&& write) {
    torn_ = true;
    write(state_);
    torn_ = false;
  }
  /// Makes it the last good state. Its tensors are written to later: nobody else may use them.
  void set(TrainingState state);
  /// Whether the present state has the same values as the last good one, or was to become it when an exception came.
  bool is(const TrainingState& present) const;
  /// Hands the state over, at the end of the run.
  TrainingState take_state() { return std::move(state_); }
  /// Restores the parameters, buffers and moments of the last good state.
  void restore();

  /// Measures the loss of the initial weights on ten batches. A good state has a loss of at most mean + 10 max(mean
  /// magnitude, standard deviation) of these. Does nothing when a loss is not finite. `poll` is called before each
  /// batch.
  void measure_start(const std::function<void(Index done, Index total)>& poll);
  /// Whether one of three batches has at most that loss with the present weights; true when it is not known. The losses
  /// of the steps cannot tell, because they were computed before the updates. Buffers and random streams are unchanged
  /// afterwards.
  bool is_healthy() const;
  /// Returns is_healthy(), and remembers the answer for this position.
  bool check_health();

  /// Reads or writes all but the last good state itself, for checkpoints: see StateVisitor.
  void visit_state(StateVisitor& state);

 private:
  double loss_of(Index batch, Index draw) const;

  const Setup& setup_;
  const Position& at_;
  BufferCopy& buffers_;
  TrainingState state_;
  double healthy_below_ = std::numeric_limits<double>::infinity();  // the highest loss of a good state
  std::int64_t tried_step_ = 0;                                     // the position of note_attempt()
  Index tried_epoch_ = 0;
  std::int64_t measured_at_ = -1;  // the micro_step of the last check_health()
  bool was_healthy_ = true;        // its result
  bool torn_ = false;              // whether keep() has ended with an exception
};

}  // namespace handrail::train
