#pragma once

#include <vector>

#include <handrail/train/metrics/metric.h>
#include <handrail/train/run/recipe.h>

namespace handrail::train {

/// Sums the results of the batches of one evaluation.
class EvaluationSums {
 public:
  /// metrics: of the options; they are copied.
  EvaluationSums(Task task, const std::vector<Metric>& metrics) : task_(task), metrics_(metrics) {}

  /// Adds a batch. Throws ShapeError when the predictions have another number of rows than the inputs; DataError naming
  /// the row of a target that is no class; MetricError when there are metrics but no predictions; OptionError when a
  /// metric of the options and one of StepOutput::metrics have the same name.
  void add(const StepOutput& output, const Batch& batch);
  /// The evaluation over all batches so far, at least one.
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
