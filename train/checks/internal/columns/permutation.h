#pragma once

#include <cstddef>
#include <optional>

#include <handrail/train/checks/internal/drift_checks.h>
#include <handrail/train/data/task.h>

namespace handrail::train {

/// Columns of a table that look like other columns of a second one.
struct Permutation {
  std::size_t from = 0, to = 0;  // column `to` of the second table looks like column `from` of the first
  std::size_t count = 0;         // of columns that differ so
};

/// Finds columns of the second table that differ from those of the same number of the first one by more than 4.5
/// standard errors in mean, standard deviation or correlation of the values, or of their squared deviations, with the
/// target, or its 3 largest ones with other columns of at most 64, where at least 80 % of them, and 2, agree with
/// another one of these columns within 4. Columns that have their common value in all but 5 % or 10 of the rows of both
/// tables are left out. At most 256 columns, and 100 rows of each table at least.
std::optional<Permutation> find_permutation(const Described& train, const Described& validation, Task task);

}  // namespace handrail::train
