#pragma once

#include <vector>

#include <handrail/train/checks/internal/model/step_graph.h>
#include <handrail/train/report/anomaly.h>

namespace handrail::train {

/// What the rules of loss_checks.h and layer_checks.h find in the ops of one training step, check_summed_loss left out.
std::vector<Anomaly> check_structure(const RecordedStep& step);

}  // namespace handrail::train
