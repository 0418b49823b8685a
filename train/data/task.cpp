#include <handrail/train/data/task.h>

namespace handrail::train {

const char* to_string(Task task) {
  switch (task) {
    case Task::multiclass:
      return "classes";
    case Task::binary:
      return "yes or no";
    case Task::regression:
      return "regression";
  }
  return "unknown";
}

}  // namespace handrail::train
