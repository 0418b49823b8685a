#pragma once

#include <optional>
#include <span>
#include <vector>

#include <handrail/train/checks/internal/data_table.h>
#include <handrail/train/report/events.h>

// Pure functions that find odd columns among the inputs and, where said, among the targets of a regression. Distances
// are in spreads: the range between the quartiles or, when that is 0, the median distance from the median of the values
// that differ from it.

namespace handrail::train {

/// Reports "mixed_units": see find_mixed_units.
/// Reports "coded_missing" as find_coded_value says, for inputs and for the targets of a regression. A number that is
/// no usual code is not reported where more columns have outliers than such a number. Reports "outliers" when some
/// cells are far out, and there is nothing between them and the others: for a distance of 18, 30, 100 or 500 some
/// cells, at most 5 % of all, are farther out, and at most half as many are within a sixth of it and it. In a column
/// with a spread of 0 between the quartiles, 18 and 30 do not count. Looks at inputs and at the targets of a
/// regression. A warning when they make up 90 % of the variance of the column, or 50 % of that of a target; a note when
/// they make up 30 %.
std::vector<Anomaly> check_cells(const DataTable& table, std::span<const Column> columns, const RowScan& scan,
                                 bool regression);

/// Reports what is odd about a column as a whole:
///   "large_offset"       mean / standard deviation above 100,000, or above 10,000 as a note
///   "constant_columns"   columns of one value: a warning when they are half of all. Not where a quarter of the columns
///                        have this value most of the time, as the background of images does.
///   "duplicate_columns"  equal columns in which at least 10 rows differ from the commonest value: a note
///   "truncated_columns"  columns of whole numbers, some of them negative, of which there are 4 to 12 around 0, or 2 or
///   3
///                        where the inputs do not tell the targets (signal below 3) and all columns are whole, some
///                        negative: a warning when these are half of all columns
///   "coded_category"     one of at most 16 columns of 4 to 30 whole numbers, 8 rows each on average, whose order means
///                        nothing: the means of the target by number explain more of its variance than a parabola does,
///                        by 7 standard errors, and by 10 % or three times as much: a note
/// signal: see NeighbourReport; nothing when it is not known.
std::vector<Anomaly> check_columns(const DataTable& table, std::span<const Column> columns, bool regression,
                                   std::optional<double> signal = {});

}  // namespace handrail::train
