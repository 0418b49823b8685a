#pragma once

#include <optional>
#include <span>
#include <vector>

#include <handrail/train/checks/internal/data_table.h>
#include <handrail/train/report/events.h>

// Values that far too many rows have exactly, in columns whose other values differ.

namespace handrail::train {

/// Reports "coded_missing" when a column has one value so often as if missing cells had been filled with it, such as 0,
/// the mean or the median. All of these hold:
///   filled value    in 5 % of the rows and 10, and 5 times as often as any other value
///   other values    at least 50, of which 20 differ, and a tenth of them is on each side of the filled value, which
///                   the zeros of an amount that cannot be negative do not have
/// A warning when it is in 20 % of the rows, and is within 3 standard errors of the mean or the median of the others:
/// that any other exact value is there by chance has a probability of about 6 / sqrt(others). Otherwise a note.
/// Also, as a note, when a fifth of the cells have the value of the row before, and 90 % of all equal cells are such
/// neighbours: those of a column of which a fifth of the values differ.
/// explained: columns that are left out; those that are reported become true.
std::optional<Anomaly> find_filled_columns(const DataTable& table, std::span<const Column> columns,
                                           std::vector<bool>& explained);

/// Reports "truncated_columns" when values were clipped at both ends, in at least half of the columns of more than two
/// values: the lowest and the highest value are each in 5 % of the rows and 10, and twice as often as any value between
/// them, of which there are 6 different ones. A note for a single column, and for more than 32: these are often pixels,
/// which may be saturated by nature.
std::optional<Anomaly> find_clipped_columns(const DataTable& table, std::span<const Column> columns);

}  // namespace handrail::train
