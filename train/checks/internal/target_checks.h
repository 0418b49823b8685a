#pragma once

#include <optional>
#include <span>
#include <vector>

#include <handrail/train/checks/internal/data_table.h>
#include <handrail/train/data/task.h>
#include <handrail/train/report/events.h>

// Pure functions that find odd targets.

namespace handrail::train {

/// Reports what is odd about the targets alone:
///   "constant_targets"    all targets of at least 10 rows are the same
///   "loss_mismatch"       only where `plain`, when the loss is one of the library's. A regression whose targets are
///   the
///                         numbers 0 to k of 3 to 30 classes, or a binary task whose targets are 4 to 31 multiples of
///                         1 / k, or 3 of which the rarest has half as many rows as the commonest: a warning when the
///                         rarest has at least a tenth as many rows as the commonest, a note for a fiftieth. A
///                         regression with targets 0 and 1: a note.
///   "truncated_targets"   a regression whose targets are 4 to 12 whole numbers around 0, 0 most often, or 3 of which 0
///                         has 80 % of the rows, some of them negative, while inputs are not whole
///   "repeated_target"     a regression of which half of the other targets differ, but one value occurs in 3 % of the
///                         rows and 3 times as often as the next: a warning when a linear model that is fitted to the
///                         other rows explains 30 % of their variance, and expects values 0.5 standard deviations from
///                         this value on average in the rows that have it. Otherwise a note when it occurs 10 times as
///                         often as the next.
std::vector<Anomaly> check_targets(const DataTable& table, std::span<const Column> columns, Task task, bool plain);

/// Reports "conflicting_labels" when rows with equal inputs have different targets; those of a regression differ by
/// half a standard deviation. No model can predict the rows whose target is not the commonest one of their inputs.
/// These are at least 3 rows, and one of these holds:
///   2 % of all      more than half of the inputs are different, and not equal by chance as rows of few categories are:
///                   a column has as many values as half of the rows, or there are 20 columns. Or a fifth are
///                   different, and a column has 80 % as many values.
///   80 % of errors  of always predicting the most frequent class, when that errs in 30 % of the rows, while less than
///                   a tenth of the inputs are different
/// keys: of at most all rows; columns: of a sample.
std::optional<Anomaly> check_conflicts(const DataTable& table, std::span<const Column> columns,
                                       std::span<const RowKey> keys, Task task);

}  // namespace handrail::train
