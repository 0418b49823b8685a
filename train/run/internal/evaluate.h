#pragma once

#include <functional>
#include <vector>

#include <handrail/train/data/loader.h>
#include <handrail/train/data/task.h>
#include <handrail/train/metrics/metric.h>
#include <handrail/train/run/recipe.h>

namespace handrail::train {

/// What validation_step says of at most `max_batches` batches, without a tape. `poll` is called before each; what it
/// throws ends the evaluation. Throws as EvaluationSums::add does.
Evaluation evaluate(Recipe& recipe, Task task, const std::vector<Metric>& metrics, const Loader& loader,
                    Index max_batches, const std::function<void()>& poll);

}  // namespace handrail::train
