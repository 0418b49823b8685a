#pragma once

#include <handrail/train/run/internal/setup.h>
#include <handrail/train/run/loop/attempt.h>
#include <handrail/train/run/loop/position.h>

namespace handrail::train {

/// Adds to an anomaly why the step under way is not finite: what its data is like, the row of a bad value, and by a
/// replay of the step the first op and layer. The buffers must have been saved before the step; they are left so, and
/// the gradients are forgotten.
void explain(Anomaly& anomaly, const Setup& setup, const Position& at, BufferCopy& buffers);

}  // namespace handrail::train
