#pragma once

#include <vector>

#include <handrail/train/metrics/metric.h>
#include <handrail/train/run/recipe.h>

namespace handrail::train {

/// Sums the batches of one evaluation. Not installed.
class EvaluationSums {
 public:
  /// Copies the metrics.
  EvaluationSums(Task task, const std::vector<Metric>& metrics) : task_(task), metrics_(metrics) {}

  /// Adds a batch. Throws ShapeError when the predictions have another number of rows, DataError naming the row of a
  /// target that is no class, MetricError when a metric is asked for and there are no predictions.
  void add(const StepOutput& output, const Batch& batch);
  /// Of all batches.
  Evaluation result() const;

 private:
  void count(const Tensor& predictions, const Tensor& targets);
  void add_predictions(const Tensor& predictions, const Batch& batch);

  Task task_;
  std::vector<Metric> metrics_;
  Evaluation sums_;
  Index correct_ = 0, counted_ = 0;
};

}  // namespace handrail::train
