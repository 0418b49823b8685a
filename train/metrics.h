#pragma once

#include <optional>
#include <vector>

#include <handrail/train/events.h>
#include <handrail/train/loss.h>

namespace handrail::train {

/// The position of the largest value of each row [N, C]; the first of several.
std::vector<Index> argmax(const Tensor& rows);

/// How many predictions are right; nothing for regression.
std::optional<Index> count_correct(Task task, const Tensor& predictions, const Tensor& targets);

/// Adds weight * value to the sum of each metric's name.
void add_metrics(std::vector<MetricValue>& sums, const std::vector<MetricValue>& metrics, double weight);

}  // namespace handrail::train
