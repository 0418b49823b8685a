#include <handrail/train/report/events.h>

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

}  // namespace handrail::train
