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

/// The position of the largest value of each row [N, C]; the first of several.
std::vector<Index> argmax(const Tensor& rows);

/// How many of the targets.size() predictions are right, as Task says; nothing for regression. Throws ShapeError when
/// the shapes do not fit the task, DataError naming the row of a target that is no class.
std::optional<Index> count_correct(Task task, const Tensor& predictions, const Tensor& targets);

/// Adds weight * value to the sum of each metric's name.
void add_metrics(std::vector<MetricValue>& sums, const std::vector<MetricValue>& metrics, double weight);

}  // namespace handrail::train
