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
  char delimiter = ',';                           // not a quote or what numbers consist of
  std::optional<bool> header = {};                // absent: a first line without a number is one
  bool allow_non_finite = false;                  // on: nan, inf and -inf are numbers
  std::size_t max_line_bytes = 1 << 20;           // a longer line is an error
  std::uint64_t max_inflated_bytes = 1ULL << 32;  // of a .gz, which can be tiny and hold any amount of text
};

/// What the target column of a table is.
enum class Target {
  class_index,  // whole numbers from 0 on, targets [N], for cross_entropy
  value,        // any numbers, targets [N, 1], for mse_loss against outputs [N, 1]
};

/// A table of numbers with named columns.
struct CsvTable {
  std::vector<std::string> columns;  // "0", "1", ... without a header
  Tensor values;                     // [rows, columns]
  std::filesystem::path path;        // where it is from, for messages
  std::int64_t first_line = 1;       // the line of row 0 in that file, counted from 1

  /// The position of a column. Throws OptionError listing the columns when there is none of that name.
  Index column(std::string_view name) const;
  /// The column `target` as targets, [N] or [N, 1] by its kind, and the others in order as inputs
  /// [N, columns - 1]. Throws OptionError as column() does; DataError when no column is left for the
  /// inputs, naming line and row of a class index that is negative or fractional, and as
  /// TensorDataset does.
  TensorDataset dataset(std::string_view target, Target kind = Target::class_index,
                        TensorDatasetOptions options = {}) const;
};

/// Reads a text file of numbers, plain or compressed by gzip: a line for each row, the same number of
/// cells in each. A cell may be in quotes, which end on its line. Numbers have a decimal point whatever
/// the locale, perhaps a sign, and blanks around them. A byte order mark of UTF-8, CRLF line ends and
/// blank lines at the end are accepted.
/// Throws DataError naming file, line and column, counted from 1, of what is no such number, missing,
/// not finite or out of range, and of any other flaw; OptionError on options out of range. A number too
/// small for Scalar but not for double is rounded to zero.
CsvTable read_csv(const std::filesystem::path& path, const CsvOptions& options = {});

}  // namespace handrail::train
