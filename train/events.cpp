#include <handrail/train/events.h>

namespace handrail::train {

const char* to_string(StopReason reason) {
  switch (reason) {
    case StopReason::finished:
      return "finished";
    case StopReason::guard:
      return "stopped by a guard";
    case StopReason::requested:
      return "stopped on request";
    case StopReason::exception:
      return "stopped by an exception";
  }
  return "unknown";
}

}  // namespace handrail::train
