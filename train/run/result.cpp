#include <handrail/train/run/result.h>

#include <algorithm>
#include <utility>

namespace handrail::train {

int FitResult::exit_status() const { return signal != 0 ? 128 + signal : checkpoint_problem.empty() ? 0 : 1; }

std::vector<Anomaly> FitResult::diagnosis() const { return train::diagnosis(anomalies); }

std::vector<Fix> FitResult::fixes() const {
  std::vector<Fix> all;
  const auto add = [&all](const std::string& anomaly) {
    for (Fix& fix : fixes_for(anomaly)) {
      if (std::ranges::find(all, fix.name, &Fix::name) != all.end()) continue;
      fix.anomaly = anomaly;
      all.push_back(std::move(fix));
    }
  };
  for (const Anomaly& cause : diagnosis()) {
    add(cause.name);
    for (const std::string& effect : cause.effects) add(effect);
  }
  return all;
}

std::string FitResult::diagnosis_text() const { return train::diagnosis_text(anomalies, anomaly_counts); }

}  // namespace handrail::train
