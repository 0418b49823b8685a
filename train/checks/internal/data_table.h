#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <handrail/train/data/internal/data_part.h>

// What the rules about data look at. The rows of a part are read twice: a sample of them into columns, and then, up to
// a limit, all of them for rare cells and equal rows. A sample is read as one row of numbers; a column is one of its
// places.

namespace handrail::train {

/// Evenly spaced rows of a part, at most 8,192 and at most 100,000 numbers, column after column; of wide data up to 200
/// rows and 200,000 numbers. Rows with values that are not finite are left out.
struct DataTable {
  const char* name = "training";  // of the data set, in messages
  Index all_rows = 0;             // of the part
  Index data_rows = 0;            // of the data set
  Shape input_shape = {};
  std::size_t inputs = 0, targets = 0;  // the number of columns
  std::vector<Index> rows = {};         // the numbers of the sampled rows in the data set
  std::vector<Scalar> values = {};      // the columns of the inputs, then those of the targets

  std::size_t size() const { return rows.size(); }
  /// A column of the inputs, or of the targets behind them.
  std::span<const Scalar> column(std::size_t j) const { return std::span(values).subspan(j * size(), size()); }
  std::span<const Scalar> target(std::size_t k = 0) const { return column(inputs + k); }
};
DataTable read_table(const DataPart& part);

/// One column in ascending order, and what it tells.
struct Column {
  std::vector<Scalar> sorted = {};
  std::vector<std::uint32_t> order = {};  // the positions in the table of `sorted`
  double mean = 0, sd = 0, median = 0;
  double kurtosis = 3;  // at least 3, that of normal values
  double iqr = 0;       // the range between the quartiles
  double spread = 0;    // the same; when it is 0, the median distance from the median of the values that differ from it
  std::size_t distinct = 0;
  Scalar common = 0;  // the value that occurs most often, the smallest of those
  std::size_t common_count = 0;
  bool whole = false;  // whether all values are whole numbers

  bool constant() const { return distinct == 1; }
  double lowest() const { return static_cast<double>(sorted.front()); }
  double highest() const { return static_cast<double>(sorted.back()); }
};
/// values: at least one, finite.
Column describe(std::span<const Scalar> values);
/// Every column of the table, inputs first.
std::vector<Column> describe(const DataTable& table);

/// A cell that is far from the median of its column.
struct FarCell {
  Index row;
  double value;
  double distance;  // in spreads
};
/// The inputs and the target of a row, as hashes.
struct RowKey {
  Index row;
  std::uint64_t inputs, all;
  Scalar target;  // the first number of it
};
/// What a pass over at most 2^21 numbers of a part finds.
struct RowScan {
  std::vector<std::vector<FarCell>> far = {};  // of each column: cells more than 5 spreads away, at most 4,096
  std::vector<RowKey> keys = {};
};
RowScan scan_rows(const DataPart& part, const DataTable& table, std::span<const Column> columns);

}  // namespace handrail::train
