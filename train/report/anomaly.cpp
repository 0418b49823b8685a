#include <handrail/train/report/anomaly.h>

#include <algorithm>
#include <utility>

namespace handrail::train {

namespace {

// What is done, in fewer words than to_string, for a headline.
const char* short_name(Action action, bool lowers_lr) {
  switch (action) {
    case Action::proceed:
      return "training continues";
    case Action::skip:
      return "step skipped";
    case Action::reduce_lr:
      return "step skipped, lr lowered";
    case Action::rollback:
      return lowers_lr ? "rolled back, lr lowered" : "rolled back";
    case Action::stop:
      return "training stops";
  }
  return "unknown";
}

}  // namespace

std::vector<Anomaly> diagnosis(std::span<const Anomaly> anomalies) {
  std::vector<Anomaly> causes;
  for (const Severity severity : {Severity::warning, Severity::note})
    for (const Anomaly& anomaly : anomalies)
      if (anomaly.severity == severity && std::ranges::find(causes, anomaly.name, &Anomaly::name) == causes.end())
        causes.push_back(anomaly);
  std::ranges::stable_sort(causes, {}, [](const Anomaly& a) { return std::pair(a.severity, a.rank); });
  return causes;
}

std::string Anomaly::headline() const {
  std::string line = step > 0 ? "step " + std::to_string(step) + ": " : std::string();
  line += name + ": ";
  if (!where.empty()) line += where + ": ";
  line += evidence;
  if (action != Action::proceed) line += std::string("; ") + short_name(action, lr_factor < 1);
  if (!remedy.empty()) line += "; try: " + remedy;
  return line;
}

std::string Anomaly::text() const {
  std::string all = where.empty() ? evidence : where + ": " + evidence;
  if (!details.empty()) all += "; " + details;
  if (!cause.empty()) all += "; likely cause: " + cause;
  if (action != Action::proceed) all += "; " + action_text();
  if (!remedy.empty()) all += "; try: " + remedy;
  return all;
}

std::string Anomaly::action_text() const {
  if (action == Action::rollback && lr_factor == 1) return "the run returns to the last good state";
  return to_string(action);
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

}  // namespace handrail::train
