#pragma once

#include <handrail/train/run/internal/setup.h>
#include <handrail/train/run/loop/attempt.h>
#include <handrail/train/run/loop/position.h>

namespace handrail::train {

/// Adds to an anomaly why the present step is not finite: statistics of its data, the row of a value that is not finite
/// or huge, and the first op and layer that is not finite, which a replay of the step finds. buffers: a copy from
/// before the step. Afterwards the buffers have those values, and the gradients are cleared.
void explain(Anomaly& anomaly, const Setup& setup, const Position& at, BufferCopy& buffers);

}  // namespace handrail::train
