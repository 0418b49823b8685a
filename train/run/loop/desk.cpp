#include <handrail/train/run/loop/desk.h>

#include <string>
#include <utility>

#include <handrail/core/error.h>

namespace handrail::train {

Verdict Desk::report(Anomaly anomaly) {
  // It may contain names of the program and of files: nothing that prints it has to think of that.
  for (std::string* text : {&anomaly.name, &anomaly.where}) *text = printable(*text, LineEnds::escape);
  for (std::string* text : {&anomaly.evidence, &anomaly.cause, &anomaly.remedy, &anomaly.details})
    *text = printable(*text);
  if (!quiet_) anomaly.action = recipe_.on_anomaly(anomaly);
  if (anomaly.action != Action::proceed) anomaly.severity = Severity::warning;
  const bool lowers = anomaly.action == Action::reduce_lr || anomaly.action == Action::rollback;
  const Verdict verdict{anomaly.action, lowers ? anomaly.lr_factor : 1};
  if (quiet_) return verdict;
  // A run that skips every other step must not fill the memory with records of it.
  constexpr std::int64_t max_of_a_name = 100;
  if (++result.anomaly_counts[anomaly.name] > max_of_a_name && anomaly.action <= Action::skip) return verdict;
  send(&LogSink::anomaly, anomaly);
  result.anomalies.push_back(std::move(anomaly));
  return verdict;
}

void Desk::warn(Anomaly anomaly) {
  const Verdict verdict = report(std::move(anomaly));
  if (on_verdict) on_verdict(verdict);
}

}  // namespace handrail::train
