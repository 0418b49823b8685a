#pragma once

#include <vector>

#include <handrail/train/checks/internal/model/step_graph.h>
#include <handrail/train/run/internal/rehearsal.h>

namespace handrail::train {

/// Tries what the loss makes of predictions that the model does not give by itself, and what it would give with other
/// biases: see output_checks.h.
/// step: recorded on `batch`, after backward. gradient: of its predictions; may be undefined.
std::vector<Anomaly> try_outputs(const Setup& setup, const Rehearsal& rehearsal, Stop& stop, const Batch& batch,
                                 const RecordedStep& step, const Tensor& gradient);

}  // namespace handrail::train
