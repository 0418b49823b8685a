#include <handrail/train/run/result.h>

namespace handrail::train {

int FitResult::exit_status() const { return signal != 0 ? 128 + signal : checkpoint_problem.empty() ? 0 : 1; }

std::vector<Anomaly> FitResult::diagnosis() const { return train::diagnosis(anomalies); }

std::string FitResult::diagnosis_text() const { return train::diagnosis_text(anomalies, anomaly_counts); }

}  // namespace handrail::train
