#pragma once

#include <handrail/train/run/loop/loop.h>

namespace handrail::train {

/// Makes trial steps: at given rates, with random numbers of their own, without guards, with a quiet desk. Its end
/// restores the model, the moments and the order of the rows, also after an exception.
class Rehearsal {
 public:
  Rehearsal(const Setup& setup, const Position& from, Stop& stop);
  ~Rehearsal();
  Rehearsal(const Rehearsal&) = delete;
  Rehearsal& operator=(const Rehearsal&) = delete;

  /// Makes one step at that rate, clipped as in the run. Nothing is changed when its loss, gradient or update is not
  /// finite; StepStats::updated is false then.
  StepStats step(double lr, const MicroBatches& batches);
  /// The batches of the next step: those of the present epoch from its first one on, then those of the epochs after it.
  MicroBatches next_batches();
  /// Returns what training_step returns for the first batch of the epoch. A tape must be active.
  StepOutput first_output() const { return setup_.training_output(setup_.loader->batch(0), 0); }
  RandomPosition random() const { return loop_.at.random(setup_.decisions.seed); }
  const Position& at() const { return loop_.at; }

 private:
  const Setup& setup_;
  Index epoch_, reached_;  // that it began with, and that next_batches has come to
  Index batch_ = 0;
  optim::OptimizerState moments_;
  ModelState weights_;
  Desk desk_;
  double lr_ = 0;
  optim::Schedule schedule_ = [this](std::int64_t) { return lr_; };
  Loop loop_;
};

}  // namespace handrail::train
