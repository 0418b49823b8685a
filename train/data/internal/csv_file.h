#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <handrail/core/tensor.h>
#include <handrail/train/data/csv.h>

namespace handrail::train {

/// What a cell is when it is read as a number.
enum class CellKind { number, out_of_range, text };
/// Reads a cell as a number, with a decimal point whatever the locale. nan and inf are numbers.
CellKind parse_number(std::string_view cell, Scalar& value);

/// Throws OptionError, starting with `reader`, on options out of range.
void check_csv_options(const CsvOptions& options, std::string_view reader);

/// One line of a CSV file, cut into cells. Private: not installed.
class CsvLine {
 public:
  /// file: how messages start, such as "read_csv: 'file'". columns: their names, for messages; empty when none are
  /// known. All of them must outlive the line.
  CsvLine(const std::string& file, const CsvOptions& options, const std::vector<std::string>& columns)
      : file_(file), options_(options), columns_(columns) {}

  /// Cuts the line of this number, counted from 1, into cells without quotes and padding. Doubled quotes within a cell
  /// become single ones in place. Throws DataError on a NUL and on quotes that are not closed or closed too early.
  void split(std::span<char> text, std::int64_t number);
  /// They are valid as long as the text given to split().
  std::span<const std::string_view> cells() const { return cells_; }
  std::int64_t number() const { return number_; }
  /// How messages start, such as "read_csv: 'file' line 7".
  std::string name() const;
  /// How messages about a cell start, with the column's number, counted from 1, and its name.
  std::string cell_name(std::size_t column) const;
  /// What is wrong with a cell that should be a number, and what to do: "want a number; got 'x'".
  std::string number_problem(std::size_t column, CellKind kind) const;
  /// The cell as a number, finite unless options.allow_non_finite. Throws DataError, naming the cell, when it is none.
  /// remedy: what to do about one that is not finite.
  Scalar number_at(std::size_t column, Index row, const char* remedy = "clean the data") const {
    Scalar value = 0;
    const CellKind kind = parse_number(cells_[column], value);
    if (kind != CellKind::number || !(options_.allow_non_finite || value - value == 0))
      refuse(column, kind, row, remedy);
    return value;
  }

 private:
  bool is_padding(char c) const { return (c == ' ' || c == '\t') && c != options_.delimiter; }
  std::string_view trimmed(std::string_view text) const {
    while (!text.empty() && is_padding(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_padding(text.back())) text.remove_suffix(1);
    return text;
  }
  char* split_quoted(char* first, char* end);
  [[noreturn]] void refuse(std::size_t column, CellKind kind, Index row, const char* remedy) const;

  const std::string& file_;
  const CsvOptions& options_;
  const std::vector<std::string>& columns_;
  std::vector<std::string_view> cells_;
  std::int64_t number_ = 0;
};

/// What is done with the rows of a block of lines. A block is read by one thread, blocks by several at once.
class CsvBlockReader {
 public:
  virtual ~CsvBlockReader() = default;
  /// row: its number in the file, from 0. The line has a cell for each column.
  virtual void take(Index row, const CsvLine& line) = 0;
};

/// A CSV file, which can be read several times from front to back. Private: not installed.
///
/// It is read in blocks of whole lines, so that the memory does not depend on the size of the file, and so that blocks
/// can be read by several threads. Rows, errors and messages are the same on any number of threads.
class CsvFile {
 public:
  /// Opens the file and reads its first line. Throws DataError when the file cannot be opened, cannot be read twice
  /// because it is a pipe, is empty, or has a malformed first line.
  CsvFile(std::string_view reader, std::filesystem::path path, const CsvOptions& options);

  const std::vector<std::string>& columns() const { return columns_; }
  bool has_header() const { return header_; }
  /// The line of row 0, counted from 1.
  std::int64_t first_line() const { return header_ ? 2 : 1; }
  /// How messages start, such as "read_csv: 'file'".
  const std::string& name() const { return name_; }

  /// Counts the rows. Throws DataError when there are none, and on a row of another length when there are so few bytes
  /// that not all rows can have all cells: a first line that is wider than the others must not cost memory.
  Index count() const;
  /// Gives all rows to readers: make() returns one for each block, and done() gets it back in the order of the file.
  /// Throws what they throw, and DataError on any mistake of the file; of several, the first one in the file.
  void read(const std::function<std::unique_ptr<CsvBlockReader>()>& make,
            const std::function<void(CsvBlockReader&)>& done = {}) const;

 private:
  void take_first_line(const CsvLine& line);
  void check_unique() const;
  const char* no_header_hint() const;

  std::string reader_;
  std::filesystem::path path_;
  CsvOptions options_;
  std::string name_;
  std::vector<std::string> columns_;
  bool header_ = false;
};

/// The position of the column of this name. Throws OptionError, starting with `who` and listing the columns, when there
/// is none.
std::size_t find_column(const std::vector<std::string>& columns, std::string_view name, const std::string& who);

/// A sentence for each column with a number that seems to stand for a missing value, by the 20,000 rows or fewer that
/// are evenly spaced in `values`, [rows, columns]. label(column) names it, and is empty for a column that is skipped.
std::vector<std::string> coded_value_notes(const Tensor& values, const std::function<std::string(Index)>& label);

}  // namespace handrail::train
