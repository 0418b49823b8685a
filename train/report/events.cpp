#include <handrail/train/report/events.h>

#include <algorithm>
#include <string_view>

#include <handrail/core/error.h>

namespace handrail::train {
namespace {

// Low for what causes the rest.
int rank(const Anomaly& anomaly) {
  struct Rank {
    std::string_view name;
    int rank;
  };
  constexpr Rank ranks[] = {{"divergence", 2},
                            {"dead_units", 2},
                            {"slow_progress", 3},
                            {"label_noise", 4},
                            {"no_better_than_baseline", 5},
                            {"overfitting", 5},
                            {"exploding_gradient", 6},
                            {"vanishing_gradient", 6},
                            {"spike", 6},
                            {"no_usable_lr", 6},
                            {"class_imbalance", 7},
                            {"duplicate_rows", 7},
                            {"plateau", 7},
                            {"clip_pressure", 7}};
  if (anomaly.name == "non_finite") return anomaly.where.starts_with("row ") ? 1 : 2;
  for (const Rank& one : ranks)
    if (one.name == anomaly.name) return one.rank;
  return 0;
}

// For a headline, where every word counts.
const char* short_name(Action action) {
  switch (action) {
    case Action::proceed:
      return "training continues";
    case Action::skip:
      return "step skipped";
    case Action::reduce_lr:
      return "step skipped, lr lowered";
    case Action::rollback:
      return "rolled back, lr lowered";
    case Action::stop:
      return "training stops";
  }
  return "unknown";
}

// What there is instead of what was asked for.
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
                      ". It is that of classes: a regression has none, neither has a loss of your own without "
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

Confusion Evaluation::confusion() const {
  if (!measured_confusion)
    fail<MetricError>("Evaluation: want a confusion matrix; there is ", measured(*this),
                      ". It is that of up to 100 classes, one label a row; for others add() predictions and targets "
                      "to a Confusion. The best evaluation does not keep it: evaluate again");
  return *measured_confusion;
}

std::vector<Anomaly> FitResult::diagnosis() const {
  std::vector<Anomaly> causes;
  for (const Anomaly& anomaly : anomalies)
    if (std::ranges::find(causes, anomaly.name, &Anomaly::name) == causes.end()) causes.push_back(anomaly);
  std::ranges::stable_sort(causes, {}, rank);
  return causes;
}

std::string FitResult::diagnosis_text() const {
  std::string all;
  for (const Anomaly& anomaly : diagnosis()) {
    if (anomaly.step > 0) all += "step " + std::to_string(anomaly.step) + ": ";
    all += anomaly.name + ": " + anomaly.text();
    const auto count = anomaly_counts.find(anomaly.name);
    if (count != anomaly_counts.end() && count->second > 1)
      all += " (the first of " + std::to_string(count->second) + ")";
    all += '\n';
  }
  return all;
}

std::string Anomaly::headline() const {
  std::string line = step > 0 ? "step " + std::to_string(step) + ": " : std::string();
  line += name + ": ";
  if (!where.empty()) line += where + ": ";
  line += evidence;
  if (action != Action::proceed) line += std::string("; ") + short_name(action);
  if (!remedy.empty()) line += "; try: " + remedy;
  return line;
}

std::string Anomaly::text() const {
  std::string all = where.empty() ? evidence : where + ": " + evidence;
  if (!details.empty()) all += "; " + details;
  if (!cause.empty()) all += "; likely cause: " + cause;
  if (action != Action::proceed) all += std::string("; ") + to_string(action);
  if (!remedy.empty()) all += "; try: " + remedy;
  return all;
}

const char* to_string(Action action) {
  switch (action) {
    case Action::proceed:
      return "training continues";
    case Action::skip:
      return "the step is skipped";
    case Action::reduce_lr:
      return "the step is skipped and lr is lowered";
    case Action::rollback:
      return "the run returns to the last good state, with a lower lr";
    case Action::stop:
      return "training stops";
  }
  return "unknown";
}

int FitResult::exit_status() const { return signal != 0 ? 128 + signal : checkpoint_problem.empty() ? 0 : 1; }

const char* to_string(StopReason reason) {
  switch (reason) {
    case StopReason::finished:
      return "finished";
    case StopReason::early_stopping:
      return "stopped early";
    case StopReason::max_time:
      return "stopped at the time limit";
    case StopReason::guard:
      return "stopped by a guard";
    case StopReason::requested:
      return "stopped on request";
    case StopReason::interrupted:
      return "interrupted";
    case StopReason::exception:
      return "stopped by an exception";
  }
  return "unknown";
}

}  // namespace handrail::train
