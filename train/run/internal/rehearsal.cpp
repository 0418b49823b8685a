#include <handrail/train/run/internal/rehearsal.h>

namespace handrail::train {

Rehearsal::Rehearsal(const Setup& setup, const Position& from, Stop& stop)
    : setup_(setup),
      epoch_(from.epoch),
      reached_(from.epoch),
      moments_(setup.optimizer->state()),
      weights_(capture(setup.model)),
      desk_(Desk::quiet(setup.recipe)),
      loop_(setup, schedule_, desk_, stop, true) {
  setup.require_trained();
  loop_.at = from;
  loop_.at.lr_factor = 1;
  loop_.at.rehearsal = true;
}

// Takes no memory: the lack of it may be what ends the rehearsal.
Rehearsal::~Rehearsal() {
  setup_.optimizer->zero_grad();
  setup_.optimizer->load_state(moments_);
  write_back(setup_.parameters, setup_.buffers, weights_.parameters, weights_.buffers);
  setup_.loader->start_epoch(epoch_);
}

MicroBatches Rehearsal::next_batches() {
  if (batch_ >= setup_.batches()) {
    setup_.loader->start_epoch(++reached_);
    batch_ = 0;
  }
  const MicroBatches batches = setup_.micro_batches(batch_);
  batch_ += batches.count;
  return batches;
}

StepStats Rehearsal::step(double lr, const MicroBatches& batches) {
  lr_ = lr;
  loop_.at.batch = batches.first;
  return loop_.step(batches);
}

}  // namespace handrail::train
