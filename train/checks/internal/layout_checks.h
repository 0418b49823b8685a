#pragma once

#include <optional>
#include <span>

#include <handrail/train/checks/internal/drift_checks.h>
#include <handrail/train/data/task.h>
#include <handrail/train/report/events.h>

// Pure functions that compare inputs with the targets of other rows than their own.

namespace handrail::train {

/// What single columns tell of the targets.
struct ColumnSignal {
  double signal = 0;  // in standard errors above chance: the largest association, less that of chance
  double noise = 0;   // the share of columns that tell nothing
};
/// How clearly columns, at most 256 of those that vary, tell the target of the row `shift` behind their own. A column
/// that is the target of another row, as in a time series, does not count. keys: of the training rows, ascending.
ColumnSignal column_signal(const Described& train, std::span<const RowKey> keys, Index shift, Task task);

/// Reports "scrambled_inputs" when inputs tell the targets only if their numbers are put into other rows and columns,
/// as they are where a table of C columns was read with rows of C - 3 to C + 3 numbers, or was stored by columns and
/// reshaped instead of transposed. All of these must hold, of at most 64 columns:
///   signal        of a row for its own target below 3 (`own_signal`, in standard errors above chance)
///   other layout  above 6 for the best of these layouts, and 50 numbers of a column at least
std::optional<Anomaly> check_layout(const Described& train, std::span<const RowKey> keys, double own_signal, Task task);

/// Reports "scrambled_inputs" when numbers stand a few cells further on than they belong, so that the first columns of
/// a row have the last numbers of the row before: two columns or more tell the target of the row before (6 standard
/// errors above chance) and not that of their own (3), and columns that tell their own (6) all come behind them. A
/// column that is the target of the row before does not count.
std::optional<Anomaly> find_shifted_cells(const Described& train, std::span<const RowKey> keys, Task task);

/// Reports "scrambled_inputs" when the numbers of nearly each row are in ascending order, or in descending order, from
/// the first column to the last, as a sort along the wrong axis leaves them. Exchangeable columns are so by chance in
/// one row of d!; this must hold in 99 % of at least 50 rows of 4 columns or more, none of which is a row of equal
/// numbers.
std::optional<Anomaly> find_sorted_cells(const DataTable& table);

}  // namespace handrail::train
