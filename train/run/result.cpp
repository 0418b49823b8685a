#include <handrail/train/run/result.h>

namespace handrail::train {

int FitResult::exit_status() const { return signal != 0 ? 128 + signal : checkpoint_problem.empty() ? 0 : 1; }

std::vector<Anomaly> FitResult::diagnosis() const { return train::diagnosis(anomalies); }

std::string FitResult::diagnosis_text() const {
  std::string all;
  for (const Anomaly& anomaly : diagnosis()) {
    if (anomaly.step > 0) all += "step " + std::to_string(anomaly.step) + ": ";
    if (anomaly.severity == Severity::note) all += "note: ";
    all += anomaly.name + ": " + anomaly.text();
    const auto count = anomaly_counts.find(anomaly.name);
    if (count != anomaly_counts.end() && count->second > 1) all += " (one of " + std::to_string(count->second) + ")";
    all += '\n';
  }
  return all;
}

}  // namespace handrail::train
