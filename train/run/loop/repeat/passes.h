#pragma once

#include <utility>

#include <handrail/core/ops/ops.h>
#include <handrail/core/tape.h>
#include <handrail/train/run/internal/setup.h>
#include <handrail/train/run/loop/position.h>

namespace handrail::train {

/// Makes the forward and the backward pass of every batch of a step, at its position in the random streams, so that a
/// step that is made again from the same weights and buffers has the same bits. The gradients add up to those of the
/// mean over all samples of the step, divided by Setup::loss_unit. read(i) returns batch i; before_backward(output,
/// batch, share, i) returns whether the backward pass is made: when it is not, the passes end. observer: of every tape;
/// null for none.
template <class Read, class BeforeBackward>
void make_passes(const Setup& setup, const Position& at, const MicroBatches& batches, Read&& read,
                 BeforeBackward&& before_backward, TapeObserver* observer = nullptr) {
  for (Index i = batches.first; i <= batches.last(); ++i) {
    const Batch batch = read(i);
    const double share = batches.share(batch);
    Tape tape(Mode::train, at.random(setup.decisions.seed, i - batches.first));
    if (observer) tape.observe(observer);
    const StepOutput output = setup.training_output(batch, i);
    if (!before_backward(output, batch, share, i)) return;
    const double weight = batches.count == 1 ? 1 / setup.loss_unit : share / setup.loss_unit;
    tape.backward(weight == 1 ? output.loss : output.loss * weight);
  }
}

}  // namespace handrail::train
