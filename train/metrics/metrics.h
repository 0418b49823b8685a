#pragma once

#include <optional>
#include <vector>

#include <handrail/train/data/task.h>
#include <handrail/train/metrics/class_metrics.h>
#include <handrail/train/metrics/confusion.h>
#include <handrail/train/metrics/evaluation.h>
#include <handrail/train/metrics/metric.h>
#include <handrail/train/metrics/regression_metrics.h>

namespace handrail::train {

/// The position of the largest value of each row, the first of several equal ones. rows: [N, C] with C > 0; the result
/// has N positions. Throws ShapeError on other shapes.
std::vector<Index> argmax(const Tensor& rows);

/// How many of the targets.size() predictions are correct, where predictions and targets become classes as Task says;
/// nothing for Task::regression. Throws ShapeError when the shapes do not fit the task, DataError naming the row of a
/// target that is not a class.
std::optional<Index> count_correct(Task task, const Tensor& predictions, const Tensor& targets);

/// Adds weight * value of each metric to the entry of its name in `sums`, which is made when there is none.
void add_metrics(std::vector<MetricValue>& sums, const std::vector<MetricValue>& metrics, double weight);

}  // namespace handrail::train
