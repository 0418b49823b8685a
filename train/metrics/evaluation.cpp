#include <handrail/train/metrics/evaluation.h>

#include <algorithm>

namespace handrail::train {

namespace {

// The figures that were measured, for messages.
std::string measured(const Evaluation& evaluation) {
  if (evaluation.samples == 0) return "nothing, as there was no evaluation";
  std::string names = evaluation.measured_accuracy ? "loss, accuracy" : "loss";
  for (const MetricValue& metric : evaluation.metrics) names += concat(", ", metric.name);
  return names;
}

}  // namespace

double Evaluation::accuracy() const {
  if (!measured_accuracy)
    fail<MetricError>("Evaluation: want an accuracy; there is ", measured(*this),
                      ". Only classes have an accuracy: a regression has none, nor has a loss of your own without "
                      "Loss{loss, Task::multiclass}, nor a step that returns no predictions");
  return *measured_accuracy;
}

double Evaluation::metric(std::string_view name) const {
  const auto found = std::ranges::find(metrics, name, &MetricValue::name);
  if (found == metrics.end())
    fail<MetricError>("Evaluation: want a metric '", name, "'; there is ", measured(*this),
                      ". TrainerOptions::metrics says what is measured: .metrics = {train::F1{}}");
  return found->value;
}

double Evaluation::calibration_error() const {
  if (!measured_calibration_error)
    fail<MetricError>(
        "Evaluation: want a calibration error; there is ", measured(*this),
        ". Trainer::evaluate measures it where there is an accuracy; the evaluations of a run do not, as it takes "
        "time");
  return *measured_calibration_error;
}

Confusion Evaluation::confusion() const {
  if (!measured_confusion)
    fail<MetricError>("Evaluation: want a confusion matrix; there is ", measured(*this),
                      ". It is measured for at most 100 classes and one label a row; for others add() predictions "
                      "and targets to a Confusion. The best evaluation does not keep it: evaluate again");
  return *measured_confusion;
}

}  // namespace handrail::train
