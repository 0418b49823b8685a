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

/// The position of the largest value of each row of [..., C], the first one when several are equal: numbers in [0, C),
/// one for each row. Throws ShapeError for a scalar, and when C = 0.
std::vector<Index> argmax(const Tensor& rows);

/// How many of the targets.size() predictions are right, as Task says; nothing for a regression. Throws ShapeError when
/// the shapes do not suit the task; DataError, naming the row, when a target is not a class.
std::optional<Index> count_correct(Task task, const Tensor& predictions, const Tensor& targets);

/// Adds weight * value of each metric to the sum of that name, which begins at 0.
void add_metrics(std::vector<MetricValue>& sums, const std::vector<MetricValue>& metrics, double weight);

}  // namespace handrail::train
