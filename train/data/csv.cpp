#include <handrail/train/data/csv.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <span>
#include <system_error>
#include <utility>

#include <handrail/core/error.h>
#include <handrail/core/system/finite.h>
#include <handrail/train/files/input_file.h>
#include <handrail/train/files/text.h>
#include <handrail/train/math/coded_value.h>

namespace handrail::train {
namespace {

enum class Parsed { number, out_of_range, malformed };

Parsed parse_number(std::string_view cell, Scalar& value) {
  // std::from_chars accepts no plus sign.
  if (cell.size() > 1 && cell[0] == '+' && cell[1] != '-') cell.remove_prefix(1);
  const char* const end = cell.data() + cell.size();
  const auto result = std::from_chars(cell.data(), end, value);
  if (result.ec == std::errc::invalid_argument || result.ptr != end) return Parsed::malformed;
  if (result.ec == std::errc{}) return Parsed::number;
  // Too large or too small for Scalar: a double shows which of the two.
  double wide = 0;
  if (std::from_chars(cell.data(), end, wide).ec != std::errc{} || std::abs(wide) > 1) return Parsed::out_of_range;
  value = static_cast<Scalar>(wide);
  return Parsed::number;
}

// Reads lines of at most max_line_bytes bytes, without their line ends.
class LineReader {
 public:
  LineReader(const std::filesystem::path& path, const CsvOptions& options)
      : file_("read_csv", path), options_(options), buffer_(std::size_t{64} << 10) {}

  /// The next line, valid until the next call; nothing at the end of the file.
  std::optional<std::span<char>> next() {
    line_.clear();
    ++number_;
    bool started = false;
    while (next_ < end_ || refill()) {
      started = true;
      const auto from = buffer_.begin() + next_, to = buffer_.begin() + end_;
      const auto newline = std::find(from, to, std::uint8_t{'\n'});
      append(std::span<const std::uint8_t>(from, newline));
      next_ = newline - buffer_.begin();
      if (newline == to) continue;
      ++next_;
      break;
    }
    if (!started) return std::nullopt;
    if (line_.ends_with('\r')) line_.pop_back();
    if (number_ == 1 && line_.starts_with("\xEF\xBB\xBF")) line_.erase(0, 3);
    return line_;
  }
  std::int64_t number() const { return number_; }
  /// How messages start, such as "read_csv: 'file' line 7".
  std::string name() const { return concat(file_.name(), " line ", number_); }
  const std::string& file_name() const { return file_.name(); }

 private:
  bool refill() {
    next_ = 0;
    end_ = static_cast<std::ptrdiff_t>(file_.read(buffer_));
    bytes_ += static_cast<std::uint64_t>(end_);
    if (file_.is_gzip() && bytes_ > options_.max_inflated_bytes)
      fail<DataError>(name(), ": want at most ", options_.max_inflated_bytes,
                      " bytes after decompression; got more; decompress the file, or raise max_inflated_bytes");
    return end_ > 0;
  }
  void append(std::span<const std::uint8_t> bytes) {
    if (bytes.size() > options_.max_line_bytes - line_.size())
      fail<DataError>(name(), ": want at most ", options_.max_line_bytes,
                      " bytes in a line; got more; if the file is correct, raise max_line_bytes");
    line_.append(bytes.begin(), bytes.end());
  }

  InputFile file_;
  const CsvOptions& options_;
  std::vector<std::uint8_t> buffer_;
  std::ptrdiff_t next_ = 0, end_ = 0;  // the unread bytes of the buffer
  std::uint64_t bytes_ = 0;
  std::string line_;
  std::int64_t number_ = 0;
};

// A sentence for each column with a number that seems to stand for a missing value. Looks at 20,000 rows, evenly
// spaced.
std::vector<std::string> coded_values(const CsvTable& table) {
  constexpr Index max_rows = 20'000;
  const Index rows = table.values.shape()[0], cols = table.values.shape()[1], taken = std::min(rows, max_rows);
  std::vector<std::string> notes;
  std::vector<Scalar> values;
  for (Index j = 0; j < cols; ++j) {
    values.clear();
    for (Index i = 0; i < taken; ++i)
      if (const Scalar value = table.values.data()[i * rows / taken * cols + j]; is_finite(value))
        values.push_back(value);
    std::ranges::sort(values);
    const auto coded = find_coded_value(values);
    if (!coded || !coded->is_clear) continue;
    notes.push_back(concat(
        "column ", j + 1, ' ', excerpt(table.columns[static_cast<std::size_t>(j)]), ": ", short_form(coded->value, 7),
        " in ", short_form(100 * static_cast<double>(coded->count) / static_cast<double>(taken), 2), " % of the rows, ",
        short_form(coded->lowest), " to ", short_form(coded->highest),
        " in all others: it seems to stand for a missing value; leave these rows out, put the median "
        "in its place, or use nn::Standardize::fit(train, {.robust = true})"));
  }
  return notes;
}

class CsvReader {
 public:
  CsvReader(const std::filesystem::path& path, const CsvOptions& options) : options_(options), lines_(path, options) {
    table_.path = path;
  }

  CsvTable read() && {
    for (std::int64_t blank = 0; const auto line = lines_.next();) {
      if (std::ranges::all_of(*line, is_blank)) {
        if (blank == 0) blank = lines_.number();
        continue;
      }
      if (blank != 0)
        fail<DataError>(lines_.file_name(), " line ", blank, ": want a row; got a blank line, and more text in line ",
                        lines_.number());
      split(*line);
      if (table_.columns.empty() && take_header()) continue;
      take_row();
    }
    if (values_.empty())
      fail<DataError>(lines_.file_name(), ": want at least one row of numbers; got ",
                      table_.columns.empty() ? "an empty file" : "only a header");
    const Index cols = std::ssize(table_.columns);
    table_.values = Tensor({std::ssize(values_) / cols, cols}, values_);
    table_.notes = coded_values(table_);
    return std::move(table_);
  }

 private:
  static bool is_blank(char c) { return c == ' ' || c == '\t'; }
  bool is_padding(char c) const { return is_blank(c) && c != options_.delimiter; }
  std::string_view trimmed(std::string_view text) const {
    while (!text.empty() && is_padding(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_padding(text.back())) text.remove_suffix(1);
    return text;
  }
  // How messages about a cell of the current line start.
  std::string cell_name(std::size_t column) const {
    const auto name = column < table_.columns.size() ? concat(' ', excerpt(table_.columns[column])) : "";
    return concat(lines_.name(), ", column ", column + 1, name);
  }

  // Cuts the line into cells_, without quotes and padding. Doubled quotes within a cell become single ones in place.
  void split(std::span<char> line) {
    if (const auto nul = std::ranges::find(line, '\0'); nul != line.end())
      fail<DataError>(lines_.name(), ": want text in UTF-8; got a NUL in byte ", nul - line.begin() + 1);
    cells_.clear();
    char* const end = line.data() + line.size();
    for (char* first = line.data();; ++first) {
      first = std::find_if_not(first, end, [this](char c) { return is_padding(c); });
      const bool in_quotes = first != end && *first == '"';
      char* const last = in_quotes ? split_quoted(first, end) : std::find(first, end, options_.delimiter);
      if (!in_quotes) cells_.push_back(trimmed({first, last}));
      if (last == end) return;
      first = last;
    }
  }
  // Adds the cell that starts with the quote at `first`. Returns where it ends: a delimiter, or the end of the line.
  char* split_quoted(char* first, char* end) {
    char *in = first + 1, *out = first;
    for (;; *out++ = *in++) {
      if (in == end) fail<DataError>(cell_name(cells_.size()), ": want a closing quote on the same line; got none");
      if (*in != '"') continue;
      ++in;
      if (in == end || *in != '"') break;
    }
    in = std::find_if_not(in, end, [this](char c) { return is_padding(c); });
    if (in != end && *in != options_.delimiter)
      fail<DataError>(cell_name(cells_.size()), ": want the cell to end with its quote; got ", excerpt({in, end}),
                      " after it; double the quotes inside a cell");
    cells_.push_back(trimmed({first, out}));
    return in;
  }

  // Names the columns and returns whether the first line is a header.
  bool take_header() {
    const auto is_text = [](std::string_view cell) {
      Scalar ignored = 0;
      return parse_number(cell, ignored) == Parsed::malformed;
    };
    const auto texts = static_cast<std::size_t>(std::ranges::count_if(cells_, is_text));
    const bool header = options_.header.value_or(texts > 0);
    // A row of numbers with a bad cell must not be taken for a header, which would drop it.
    if (!options_.header && texts > 0 && texts < cells_.size()) {
      const auto at = static_cast<std::size_t>(std::ranges::find_if(cells_, is_text) - cells_.begin());
      fail<DataError>(cell_name(at), ": want all numbers, or all names, in the first line; got ", excerpt(cells_[at]),
                      " among numbers; correct it, or set header = true if this is a header");
    }
    std::vector<std::string> names;
    for (std::size_t i = 0; i < cells_.size(); ++i) {
      names.push_back(header ? std::string(cells_[i]) : std::to_string(i));
      if (names.back().empty())
        fail<DataError>(cell_name(i), ": want a column name; got an empty cell", no_header_hint());
    }
    if (header) check_unique(names);
    table_.columns = std::move(names);
    table_.first_line = lines_.number() + (header ? 1 : 0);
    return header;
  }
  void check_unique(const std::vector<std::string>& names) const {
    std::vector<std::string_view> sorted(names.begin(), names.end());
    std::ranges::sort(sorted);
    if (const auto twice = std::ranges::adjacent_find(sorted); twice != sorted.end())
      fail<DataError>(lines_.name(), ": want different column names; got ", excerpt(*twice), " twice",
                      no_header_hint());
  }
  const char* no_header_hint() const {
    return options_.header ? "" : "; if the first line is not a header, set header = false";
  }

  void take_row() {
    const std::size_t cols = table_.columns.size();
    const Index row = std::ssize(values_) / std::ssize(table_.columns);
    if (cells_.size() != cols)
      throw DataError(concat(lines_.name(), ": want ", cols, " columns as in line 1; got ", cells_.size()), row);
    for (std::size_t i = 0; i < cols; ++i) {
      Scalar value = 0;
      const Parsed parsed = parse_number(cells_[i], value);
      if (parsed != Parsed::number || !(is_finite(value) || options_.allow_non_finite)) bad_cell(i, parsed, row);
      values_.push_back(value);
    }
  }
  [[noreturn]] void bad_cell(std::size_t column, Parsed parsed, Index row) const {
    const std::string_view cell = cells_[column];
    std::string problem;
    if (cell.empty())
      problem = "want a number; got an empty cell";
    else if (parsed == Parsed::malformed)
      problem = concat("want a number; got ", excerpt(cell), number_hint(cell));
    else if (parsed == Parsed::out_of_range)
      problem =
          concat("want a number in the range of ", sizeof(Scalar) == 4 ? "float" : "double", "; got ", excerpt(cell));
    else
      problem = concat("want a finite number; got ", excerpt(cell), "; clean the data, or set allow_non_finite = true");
    throw DataError(concat(cell_name(column), ": ", problem), row);
  }
  std::string number_hint(std::string_view cell) const {
    for (const char other : {';', '\t', '|'})
      if (other != options_.delimiter && cell.find(other) != std::string_view::npos)
        return concat("; is the delimiter ", excerpt({&other, 1}), " instead of ", excerpt({&options_.delimiter, 1}),
                      "?");
    const bool comma = std::ranges::count(cell, ',') == 1;
    return comma ? "; write a decimal point, not a comma" : "";
  }

  const CsvOptions& options_;
  LineReader lines_;
  std::vector<std::string_view> cells_;  // of the current line
  std::vector<Scalar> values_;
  CsvTable table_;
};

void check_options(const CsvOptions& options) {
  const char c = options.delimiter;
  const bool in_numbers = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '+' ||
                          c == '-' || c == '.' || c == '(' || c == ')' || c == '_';
  if (in_numbers || c == '"' || c == '\n' || c == '\r' || c == '\0')
    fail<OptionError>("read_csv: want a delimiter that is not a quote, a line end or part of a number; got ",
                      excerpt({&c, 1}));
  if (options.max_line_bytes == 0) fail<OptionError>("read_csv: want max_line_bytes > 0; got 0");
}

}  // namespace

CsvTable read_csv(const std::filesystem::path& path, const CsvOptions& options) {
  check_options(options);
  return CsvReader(path, options).read();
}

Index CsvTable::column(std::string_view name) const {
  if (const auto found = std::ranges::find(columns, name); found != columns.end()) return found - columns.begin();
  constexpr std::size_t max_listed = 30;
  std::string all;
  for (std::size_t i = 0; i < std::min(max_listed, columns.size()); ++i)
    all += concat(i ? ", " : "", excerpt(columns[i]));
  if (columns.size() > max_listed) all += concat(", ... (", columns.size(), " in all)");
  fail<OptionError>("CsvTable: '", path.string(), "': want one of the columns ", all, "; got ", excerpt(name));
}

TensorDataset CsvTable::dataset(std::string_view target, Target kind, TensorDatasetOptions options) const {
  if (values.shape().rank() != 2 || values.shape()[1] != std::ssize(columns))
    fail<ShapeError>("CsvTable: want values [N, ", columns.size(), "], a column for each name; got ", values.shape());
  const Index skip = column(target), rows = values.shape()[0], cols = values.shape()[1];
  if (cols < 2)
    fail<DataError>("CsvTable: '", path.string(), "': want columns besides the target ", excerpt(target), "; got none");
  const Tensor inputs({rows, cols - 1});
  const Tensor targets(kind == Target::class_index ? Shape{rows} : Shape{rows, 1});
  const Scalar* in = values.data();
  Scalar* x = inputs.mutable_data();
  Scalar* y = targets.mutable_data();
  for (Index row = 0; row < rows; ++row, in += cols) {
    x = std::copy(in, in + skip, x);
    x = std::copy(in + skip + 1, in + cols, x);
    y[row] = in[skip];
    if (kind == Target::class_index && !(is_finite(y[row]) && y[row] >= 0 && y[row] == std::floor(y[row])))
      throw DataError(concat("CsvTable: '", path.string(), "' line ", first_line + row, " (row ", row, "), column ",
                             skip + 1, " ", excerpt(target), ": want a class index, a whole number >= 0; got ", y[row],
                             "; for regression use Target::value"),
                      row);
  }
  return {inputs, targets, options};
}

}  // namespace handrail::train
