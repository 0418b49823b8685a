#pragma once

#include <optional>
#include <string>
#include <vector>

#include "program.h"

namespace faulty_runs {

/// The parts of the benchmark: rules are written looking at `dev` alone. The others are run once, at the end; `fresh`,
/// `variants`, `unseen` and `novel` have faults and tasks of their own, which were written without a look at the rules.
enum class Part { dev, held_out, fresh, variants, unseen, novel };

/// A task that can be drawn again and again: each seed gives another problem of its kind, and other rows.
struct TaskKind {
  std::string name;
  train::Task kind;
  Task (*make)(std::uint64_t seed, Index size);
  std::optional<Part> part = {};  // empty: dev or held out, by its place
  /// `size` times as many training rows as usual, where they are generated.
  Task draw(std::uint64_t seed, Index size = 1) const { return make(seed, size); }
};
/// All tasks, in the order of docs/faults.md.
const std::vector<TaskKind>& tasks();

/// The tasks of the parts `fresh`, `variants`, `unseen` and `novel`.
std::vector<TaskKind> fresh_tasks();
std::vector<TaskKind> variant_tasks();
std::vector<TaskKind> unseen_tasks();
std::vector<TaskKind> novel_tasks();

constexpr Index test_rows = 1500;
/// Divides the rows into test, validation and the rest for training, and standardises the inputs by those of training,
/// and the targets of a regression too, as a careful user does.
Task divide(Task task, const Table& all, Index validation, Index test, bool standardise = true);
Scalar& at(const Tensor& x, Index row, Index column);

}  // namespace faulty_runs
