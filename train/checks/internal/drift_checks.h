#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include <handrail/train/checks/internal/data_table.h>
#include <handrail/train/data/task.h>
#include <handrail/train/report/events.h>

// Pure functions that compare the columns of the training set with those of the validation set.

namespace handrail::train {

/// A table and what its columns tell.
struct Described {
  const DataTable& table;
  std::span<const Column> columns;
};

/// Reports how the validation set differs from the training set. Only the first that is found of the first three is
/// reported.
///   "columns_permuted"   see find_permutation
///   "noisy_inputs"       no means drift, and of at least 4 columns 80 % vary more in the training set, with a median
///                        factor of 1.5 to 6, or 1.25 as a note, by 4 standard errors
///   "validation_drift"   a column whose means are more than half a standard deviation and 6 standard errors apart, or
///                        whose standard deviations, and distances of the quartiles, are more than a factor of 2 (and
///                        1.5) and 6 standard errors apart
///   "target_drift"       a class whose shares are more than 0.15 and 5 standard errors apart, or that is absent from
///                        the validation set with a chance below 1e-4, or the targets of a regression by the rule of
///                        validation_drift
/// Both sets need 10 rows. Does nothing when the shapes of the inputs differ. identifier: a column that is left out of
/// validation_drift.
std::vector<Anomaly> check_drift(const Described& train, const Described& validation, Task task,
                                 std::optional<std::size_t> identifier = {});

/// Whether this column of the inputs differs between the two sets by the rule of validation_drift.
bool is_drifting(const Described& train, const Described& validation, std::size_t column);

}  // namespace handrail::train
