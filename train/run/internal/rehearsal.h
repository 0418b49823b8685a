#pragma once

#include <handrail/train/run/loop/loop.h>

namespace handrail::train {

/// Steps that are for trying out: with random numbers of their own, without guards, at rates that are given, at a quiet
/// desk. At its end, exceptions or not, model, moments and the order of the rows are as before.
class Rehearsal {
 public:
  Rehearsal(const Setup& setup, const Position& from, Stop& stop);
  ~Rehearsal();
  Rehearsal(const Rehearsal&) = delete;
  Rehearsal& operator=(const Rehearsal&) = delete;

  /// One step at that rate, clipped as in the run. Nothing is changed when its loss, its gradient or its update is not
  /// finite: StepStats::updated tells.
  StepStats step(double lr, const MicroBatches& batches);
  /// What training_step says of the first batch of the epoch, on the tape that is active.
  StepOutput first_output() const { return setup_.training_output(setup_.loader->batch(0), 0); }
  RandomPosition random() const { return loop_.at.random(setup_.decisions.seed); }
  const Position& at() const { return loop_.at; }

 private:
  const Setup& setup_;
  Index epoch_;
  optim::OptimizerState moments_;
  ModelState weights_;
  Desk desk_;
  double lr_ = 0;
  optim::Schedule schedule_ = [this](std::int64_t) { return lr_; };
  Loop loop_;
};

}  // namespace handrail::train
