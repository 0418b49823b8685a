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
  bool fresh = false;  // whether it is of the part `fresh`
  /// `size` times as many training rows as usual, where they are generated.
  Task draw(std::uint64_t seed, Index size = 1) const { return make(seed, size); }
};
/// All tasks, in the order of docs/faults.md.
const std::vector<TaskKind>& tasks();

/// The tasks of the part `fresh`.
std::vector<TaskKind> fresh_tasks();

constexpr Index test_rows = 1500;
/// Divides the rows into test, validation and the rest for training, and standardises the inputs by those of training,
/// and the targets of a regression too, as a careful user does.
Task divide(Task task, const Table& all, Index validation, Index test, bool standardise = true);
Scalar& at(const Tensor& x, Index row, Index column);

}  // namespace faulty_runs
