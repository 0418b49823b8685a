#pragma once

#include <functional>
#include <vector>

#include <handrail/train/data/loader.h>
#include <handrail/train/data/task.h>
#include <handrail/train/metrics/metric.h>
#include <handrail/train/run/recipe.h>

namespace handrail::train {

/// Throws ShapeError, starting with `who`, unless a batch has samples of the same shape as the batches before it.
/// what: the name of the tensors. Call it before batches are put together.
void check_same_rows(const char* who, const char* what, const Shape& before, const Shape& batch);

/// Evaluates the first `max_batches` batches, or all when there are fewer, with Recipe::validation_step and without a
/// tape. `poll` is called before each batch; an exception from it ends the evaluation. with_calibration: whether the
/// calibration error is measured, which takes a quarter of the time or more for a small model. Throws ShapeError when
/// the predictions have another number of rows than the inputs, and when those of two batches have samples of different
/// shapes; DataError naming the row of a target that is no class; MetricError when there are metrics but no
/// predictions; OptionError when a metric of the options and one of StepOutput::metrics have the same name.
Evaluation evaluate(Recipe& recipe, Task task, const std::vector<Metric>& metrics, const Loader& loader,
                    Index max_batches, const std::function<void()>& poll, bool with_calibration = false);

}  // namespace handrail::train
