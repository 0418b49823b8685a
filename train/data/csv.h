#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <handrail/core/tensor.h>
#include <handrail/train/data/dataset.h>

namespace handrail::train {

struct CsvOptions {
  char delimiter = ',';                           // neither a quote nor a character of numbers
  std::optional<bool> header = {};                // absent: a first line without any number is a header
  bool allow_non_finite = false;                  // true: nan, inf and -inf are numbers
  std::size_t max_line_bytes = 1 << 20;           // a longer line is an error
  std::uint64_t max_inflated_bytes = 1ULL << 32;  // a .gz that inflates to more is an error, however small it is
};

/// What the target column of a table means.
enum class Target {
  class_index,  // class indices, whole numbers from 0 on: targets [N], for cross_entropy
  value,        // any numbers: targets [N, 1], for mse_loss of outputs [N, 1]
};

/// A table of numbers with named columns.
struct CsvTable {
  std::vector<std::string> columns;  // their names; "0", "1", ... without a header
  Tensor values;                     // [rows, columns]
  std::filesystem::path path;        // the file that was read, for messages
  std::int64_t first_line = 1;       // the line of row 0 in that file, counted from 1

  /// The position of the column of that name. Throws OptionError, listing the columns, when there is none.
  Index column(std::string_view name) const;
  /// A data set whose targets are the column `target`, [N] for class indices and [N, 1] for values, and whose inputs
  /// are the other columns in their order, [N, columns - 1]. Throws OptionError as column() does; DataError when no
  /// column is left for the inputs, naming line and row when a class index is negative or fractional, and as
  /// TensorDataset does.
  TensorDataset dataset(std::string_view target, Target kind = Target::class_index,
                        TensorDatasetOptions options = {}) const;
};

/// Reads a text file of numbers, plain or compressed by gzip. Every line is a row and has the same number of cells. A
/// cell may be in quotes, which end on the same line. Numbers have a decimal point whatever the locale; a sign and
/// blanks around them are accepted, as are a byte order mark of UTF-8, CRLF line ends and blank lines at the end. A
/// number that is too small for Scalar, but not for double, is rounded to zero.
/// Throws OptionError on options out of range; DataError, naming file, line and column (counted from 1), when a cell is
/// missing, is not a number, is not finite or is out of range, and on every other flaw of the file.
CsvTable read_csv(const std::filesystem::path& path, const CsvOptions& options = {});

}  // namespace handrail::train
