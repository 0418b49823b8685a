#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <handrail/core/tensor.h>

namespace handrail::train {

/// How read_csv and load_csv read a file.
struct CsvOptions {
  char delimiter = ',';                  // any character but a quote, a line end and those that numbers consist of
  std::optional<bool> header = {};       // absent: the first line is a header when none of its cells is a number
  bool allow_non_finite = false;         // true: nan, inf and -inf are accepted as numbers
  std::size_t max_line_bytes = 1 << 20;  // a longer line is an error
  std::uint64_t max_inflated_bytes = 1ULL << 32;  // of a compressed file, as a small one can hold any amount of text
};

/// A table of numbers with named columns. To train on a file, use load_csv, which makes a data set of it.
struct CsvTable {
  std::vector<std::string> columns;  // their names; "0", "1", ... when there is no header
  Tensor values;                     // [rows, columns]
  std::filesystem::path path;        // of the file, for messages
  std::int64_t first_line = 1;       // the line of row 0 in that file, counted from 1
  // What is odd about the columns, a sentence each: numbers that seem to stand for missing values, such as -999, which
  // would be learnt as numbers. A program may print them; fit reports such columns too, without their names.
  std::vector<std::string> notes = {};

  /// The position of the column of this name. Throws OptionError, listing the columns, when there is none.
  Index column(std::string_view name) const;
};

/// Reads a text file of numbers, plain or compressed by gzip: one line a row, with the same number of cells in each. A
/// cell may be in quotes, which end on the same line. Numbers have a decimal point whatever the locale, and may have a
/// sign and blanks around them. A UTF-8 byte order mark, CRLF line ends and blank lines at the end are accepted. A
/// number that is too small for Scalar but not for double is rounded. The file is read twice, once to count the rows,
/// in blocks of lines on num_threads() threads; besides the numbers, memory holds one block of 1 MB for each thread.
/// Throws DataError naming file, line and column, counted from 1, of a cell that is empty, not a number, out of
/// range, or not finite without allow_non_finite; DataError naming the file, and the line where there is one, of
/// any other mistake, such as a pipe, which cannot be read twice; OptionError on options out of range.
CsvTable read_csv(const std::filesystem::path& path, const CsvOptions& options = {});

}  // namespace handrail::train
