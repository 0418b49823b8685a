#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <handrail/train/report/html/internal/curve.h>

namespace handrail::train::html {

/// Positive figures of the rows of a table, such as layers, over the steps of a run. A column is the geometric mean of
/// the measurements in it, of which there are as many as `stride`; when there is no room for another column, the stride
/// doubles. All memory is taken by the first measurement.
class HeatMap {
 public:
  /// max_columns: even, at least 2.
  explicit HeatMap(std::size_t max_columns = 160) : max_columns_(max_columns) {}

  /// Adds a measurement of all rows. A measurement of another number of rows than before begins the map anew. A value
  /// that is not positive and finite is left out.
  void add(std::int64_t step, std::span<const double> values);

  std::size_t rows() const { return rows_; }
  std::size_t columns() const { return steps_.size(); }
  /// The steps of the first and the last measurement of a column.
  std::int64_t first(std::size_t column) const { return steps_[column].first; }
  std::int64_t last(std::size_t column) const { return steps_[column].last; }
  /// The decimal logarithm of the mean; NaN where no value was positive and finite.
  double log10_at(std::size_t row, std::size_t column) const;

 private:
  struct Steps {
    std::int64_t first, last;
  };
  struct Cell {
    double sum = 0;  // of the logarithms
    double count = 0;
  };
  void halve();

  std::size_t max_columns_;
  std::size_t rows_ = 0;
  std::size_t stride_ = 1, in_last_ = 0;  // measurements in a column, and in the last one
  std::vector<Steps> steps_;              // of each column
  std::vector<Cell> cells_;               // [columns, rows]
};

}  // namespace handrail::train::html
