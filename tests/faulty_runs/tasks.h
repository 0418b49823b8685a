#pragma once

#include <string>
#include <vector>

#include "program.h"

namespace faulty_runs {

/// A task that can be drawn again and again: each seed gives another problem of its kind, and other rows.
struct TaskKind {
  std::string name;
  train::Task kind;
  Task (*make)(std::uint64_t seed, Index size);
  /// `size` times as many training rows as usual, where they are generated.
  Task draw(std::uint64_t seed, Index size = 1) const { return make(seed, size); }
};
/// All tasks, in the order of docs/faults.md.
const std::vector<TaskKind>& tasks();

}  // namespace faulty_runs
