#include <handrail/train/report/events.h>

#include <cmath>

namespace handrail::train {

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

std::string RepairAttempt::outcome() const {
  if (!problem.empty()) return "not measured: " + problem;
  if (kept) return "kept";
  const bool is_lower = std::isfinite(after) && !(after >= before);
  return is_lower ? "not kept: the lower loss may be chance" : "not kept: the loss is not lower";
}

}  // namespace handrail::train
