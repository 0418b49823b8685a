#pragma once

#include <functional>
#include <vector>

#include <handrail/train/data/loader.h>
#include <handrail/train/data/task.h>
#include <handrail/train/metrics/metric.h>
#include <handrail/train/run/recipe.h>

namespace handrail::train {

/// Evaluates the first `max_batches` batches, or all when there are fewer, with Recipe::validation_step and without a
/// tape. `poll` is called before each batch; an exception from it ends the evaluation. Throws ShapeError when the
/// predictions have another number of rows than the inputs; DataError naming the row of a target that is no class;
/// MetricError when there are metrics but no predictions; OptionError when a metric of the options and one of
/// StepOutput::metrics have the same name.
Evaluation evaluate(Recipe& recipe, Task task, const std::vector<Metric>& metrics, const Loader& loader,
                    Index max_batches, const std::function<void()>& poll);

}  // namespace handrail::train
