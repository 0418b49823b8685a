#pragma once

#include <optional>
#include <span>
#include <vector>

#include <handrail/train/checks/internal/data_table.h>
#include <handrail/train/data/task.h>
#include <handrail/train/report/events.h>

// Pure functions that look at rows and the order in which they come.

namespace handrail::train {

/// Reports what is odd about the training rows as a set:
///   "repeated_rows"        inputs and targets of at least 40 rows come 3 times or more on average, although one column
///                          at least has another value in nearly all rows that differ, or there are 20 columns
///   "small_training_set"   fewer than 50 rows, or fewer than 1,000 and than a fifth of validation_rows; or, as a note,
///                          fewer rows than columns or than 5 for each class. Images, which have more than one
///                          dimension, are not compared with their columns.
/// validation_rows: 0 when there is no validation set.
std::vector<Anomaly> check_row_set(const DataTable& table, std::span<const Column> columns,
                                   std::span<const RowKey> keys, Task task, Index validation_rows = 0);

/// Reports "small_validation_set" for fewer than 8 rows, and for fewer than 10 as a note. It is a note too when there
/// are at most 16 training rows for each of them: a small table has no more rows to hold out.
std::optional<Anomaly> check_validation_size(Index rows, Index training_rows);

/// Reports "sorted_rows" when the targets within a batch are far more alike than in the whole set: two rows of a batch
/// agree so much more often than two rows of the set that half of the disagreement is gone or, for a regression, the
/// variance within batches is a quarter of that of the set. Looks at batches of 4 rows or more, 2 batches and 32 rows
/// at least, and targets of one number. batches: the first ones of an epoch, in which rows have been shuffled.
std::optional<Anomaly> check_order(const DataTable& table, std::span<const Batch> batches, Task task);

/// Reports "unstable_data" when rows that are read twice have the same targets and, in the median, inputs that differ
/// by more than 90 % of the distance between different rows, which no augmentation does. At least 16 rows. before, now:
/// the same rows in the same order.
std::optional<Anomaly> check_stability(const Batch& before, const Batch& now);

/// Reports "unstable_data" when rows have other values at the end of a run than at its start: in the median they have
/// moved by more than 5 % of the distance between different rows, and by more than twice what two readings in a row
/// differ, which an augmentation may. At least 16 rows. before, now, again: the same rows in the same order.
std::optional<Anomaly> check_unchanged(const Batch& before, const Batch& now, const Batch& again);

}  // namespace handrail::train
