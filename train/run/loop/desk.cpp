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

void Desk::warn_of_sinks(std::int64_t step) {
  const LogSinks sinks = sinks_;
  for (const auto& sink : sinks)
    if (std::string problem = sink->take_problem(); !problem.empty())
      warn({.name = "metrics_log",
            .step = step,
            .evidence = std::move(problem),
            .cause = "a problem with the disk, or a change of the file by another program",
            .remedy = "free disk space; the training and its checkpoints are not affected"});
}

}  // namespace handrail::train
