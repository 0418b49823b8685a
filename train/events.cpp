#include <handrail/train/events.h>

#include <algorithm>
#include <string_view>

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

}  // namespace

std::vector<Anomaly> FitResult::diagnosis() const {
  std::vector<Anomaly> causes;
  for (const Anomaly& anomaly : anomalies)
    if (std::ranges::find(causes, anomaly.name, &Anomaly::name) == causes.end()) causes.push_back(anomaly);
  std::ranges::stable_sort(causes, {}, rank);
  return causes;
}

std::string Anomaly::text() const {
  std::string all = where.empty() ? evidence : where + ": " + evidence;
  if (!cause.empty()) all += "; likely " + cause;
  if (action != Action::proceed) all += std::string("; ") + to_string(action);
  if (!remedy.empty()) all += "; try: " + remedy;
  return all;
}

const char* to_string(Action action) {
  switch (action) {
    case Action::proceed:
      return "training goes on";
    case Action::skip:
      return "the step is skipped";
    case Action::reduce_lr:
      return "the step is skipped and the rate lowered";
    case Action::rollback:
      return "back to the last good state, at a lower rate";
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
