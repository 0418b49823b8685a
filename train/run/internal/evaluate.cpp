#include <handrail/train/run/internal/evaluate.h>

#include <algorithm>
#include <optional>
#include <string>

#include <handrail/core/error.h>
#include <handrail/core/tape.h>
#include <handrail/train/metrics/calibration.h>
#include <handrail/train/metrics/internal/labels.h>
#include <handrail/train/metrics/metrics.h>

namespace handrail::train {
namespace {

constexpr Index max_confusion_classes = 100;  // above it, no confusion matrix is made by default

std::string names_of(const std::vector<Metric>& metrics) {
  std::string names;
  for (const Metric& metric : metrics) names += concat(names.empty() ? "'" : ", '", metric.name(), "'");
  return names;
}

// Sums the results of the batches of one evaluation.
class EvaluationSums {
 public:
  // metrics: a copy of those of the options.
  EvaluationSums(Task task, std::vector<Metric> metrics, bool with_calibration)
      : task_(task), metrics_(std::move(metrics)) {
    if (with_calibration) calibration_.emplace();
  }

  // Adds a batch. Throws ShapeError when the predictions have another number of rows than the inputs; DataError naming
  // the row of a target that is no class; MetricError when there are metrics but no predictions; OptionError when a
  // metric of the options and one of StepOutput::metrics have the same name.
  void add(const StepOutput& output, const Batch& batch);
  // The evaluation over all batches so far, at least one.
  Evaluation result() const;

 private:
  void count(const Tensor& predictions, const Tensor& targets);
  void add_predictions(const Tensor& predictions, const Batch& batch);

  Task task_;
  std::vector<Metric> metrics_;
  std::optional<Shape> shape_;  // of the predictions of the first batch
  Evaluation sums_;
  Index correct_ = 0, counted_ = 0;
  std::optional<CalibrationError> calibration_;
};

void EvaluationSums::add(const StepOutput& output, const Batch& batch) {
  const Index samples = batch.inputs.shape()[0];
  if (output.predictions.defined())
    add_predictions(output.predictions, batch);
  else if (!metrics_.empty())
    fail<MetricError>("evaluate: want predictions for the metrics ", names_of(metrics_),
                      "; got none from validation_step: set StepOutput::predictions");
  const auto loss = static_cast<double>(output.loss.item());
  sums_.loss += loss * static_cast<double>(samples);
  sums_.group_losses.push_back(loss);
  sums_.samples += samples;
  for (const MetricValue& metric : output.metrics)
    if (std::ranges::find(metrics_, metric.name, &Metric::name) != metrics_.end())
      fail<OptionError>("evaluate: want metrics of different names; got '", metric.name,
                        "' of the options and of StepOutput::metrics");
  add_metrics(sums_.metrics, output.metrics, static_cast<double>(samples));
}

void EvaluationSums::add_predictions(const Tensor& predictions, const Batch& batch) {
  if (task_ == Task::regression && metrics_.empty()) return;  // they are not used
  const Shape& shape = predictions.shape();
  if (shape.rank() == 0 || shape[0] != batch.inputs.shape()[0])
    fail<ShapeError>("evaluate: want a row of predictions for each sample; got predictions ", shape, ", inputs ",
                     batch.inputs.shape());
  if (!shape_) shape_ = shape;
  check_same_rows("evaluate", "predictions", *shape_, shape);
  if (task_ != Task::regression) count(predictions, batch.targets);
  for (Metric& metric : metrics_) metric.add(predictions, batch.targets);
}

// Accuracy and confusion matrix in one pass: counting is a noticeable part of evaluating a small model.
void EvaluationSums::count(const Tensor& predictions, const Tensor& targets) {
  const LabelShape shape = label_shape("accuracy", task_, predictions, targets);
  if (shape.columns == 1 && shape.classes <= max_confusion_classes && !sums_.measured_confusion)
    sums_.measured_confusion.emplace(shape.classes);
  Confusion* confusion = sums_.measured_confusion ? &*sums_.measured_confusion : nullptr;
  for_each_label("accuracy", shape, predictions, targets, [&](Index, Index truth, Index predicted) {
    correct_ += truth == predicted;
    if (confusion) confusion->add(truth, predicted);
  });
  if (calibration_) calibration_->add(task_, predictions, targets);
  counted_ += targets.size();
}

Evaluation EvaluationSums::result() const {
  Evaluation result = sums_;
  result.loss /= static_cast<double>(result.samples);
  result.metrics.clear();
  for (const Metric& metric : metrics_) result.metrics.push_back({metric.name(), metric.result()});
  for (const MetricValue& metric : sums_.metrics)
    result.metrics.push_back({metric.name, metric.value / static_cast<double>(result.samples)});
  if (counted_ > 0) result.measured_accuracy = static_cast<double>(correct_) / static_cast<double>(counted_);
  if (counted_ > 0 && calibration_) result.measured_calibration_error = calibration_->value();
  return result;
}

}  // namespace

void check_same_rows(const char* who, const char* what, const Shape& before, const Shape& batch) {
  if (before.without_first() != batch.without_first())
    fail<ShapeError>(who, ": want ", what, " of the same shape for each sample; got ", before.without_first(),
                     " in the first batch and ", batch.without_first(), " in a later one");
}

Evaluation evaluate(Recipe& recipe, Task task, const std::vector<Metric>& metrics, const Loader& loader,
                    Index max_batches, const std::function<void()>& poll, bool with_calibration) {
  const InferenceMode inference;
  EvaluationSums sums(task, metrics, with_calibration);
  for (Index i = 0; i < std::min(max_batches, loader.size()); ++i) {
    if (poll) poll();
    const Batch batch = loader.batch(i);
    named_rows("evaluated", loader, i, [&] { sums.add(recipe.validation_step(batch), batch); });
  }
  return sums.result();
}

}  // namespace handrail::train
