#include <algorithm>
#include <cstring>
#include <exception>
#include <utility>

#include <handrail/core/error.h>
#include <handrail/core/system/finite.h>
#include <handrail/core/system/parallel.h>
#include <handrail/train/data/internal/csv_blocks.h>
#include <handrail/train/data/internal/csv_file.h>
#include <handrail/train/files/text.h>
#include <handrail/train/math/coded_value.h>

namespace handrail::train {
namespace {

// Calls use(number, line) for each line of a block, without its end, up to the blank lines at the end of the file.
template <class Use>
void for_each_line(CsvBlock& block, const std::string& file, const CsvOptions& options, Use&& use) {
  constexpr std::string_view mark = "\xEF\xBB\xBF";
  std::int64_t number = block.first_line, blank = block.blank_before;
  char* const end = block.buffer.data() + block.size;
  for (char* first = block.buffer.data(); first != end; ++number) {
    auto* const newline = static_cast<char*>(std::memchr(first, '\n', static_cast<std::size_t>(end - first)));
    std::span<char> line(first, newline ? newline : end);
    first = newline ? newline + 1 : end;
    if (line.size() > options.max_line_bytes)
      fail<DataError>(file, " line ", number, ": want at most ", options.max_line_bytes,
                      " bytes in a line; got more; if the file is correct, raise max_line_bytes");
    if (number == 1 && std::string_view(line.data(), line.size()).starts_with(mark)) line = line.subspan(mark.size());
    if (is_blank_line({line.data(), line.size()})) {
      if (blank == 0) blank = number;
      continue;
    }
    if (blank != 0)
      fail<DataError>(file, " line ", blank, ": want a row; got a blank line, and more text in line ", number);
    use(number, line.back() == '\r' ? line.first(line.size() - 1) : line);
  }
}

// Leaves the cells of a row as they are.
struct OnlyCells : CsvBlockReader {
  void take(Index, const CsvLine&) override {}
};

}  // namespace

void check_csv_options(const CsvOptions& options, std::string_view reader) {
  const char c = options.delimiter;
  const bool in_numbers = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '+' ||
                          c == '-' || c == '.' || c == '(' || c == ')' || c == '_';
  if (in_numbers || c == '"' || c == '\n' || c == '\r' || c == '\0')
    fail<OptionError>(reader, ": want a delimiter that is not a quote, a line end or part of a number; got ",
                      excerpt({&c, 1}));
  if (options.max_line_bytes == 0) fail<OptionError>(reader, ": want max_line_bytes > 0; got 0");
}

CsvFile::CsvFile(std::string_view reader, std::filesystem::path path, const CsvOptions& options)
    : reader_(reader), path_(std::move(path)), options_(options) {
  check_csv_options(options, reader);
  CsvBlocks blocks(reader_, path_, options_);
  name_ = blocks.file_name();
  CsvLine first(name_, options_, columns_);
  bool found = false;
  for (CsvBlock block; !found && blocks.next(block);)
    for_each_line(block, name_, options_, [&](std::int64_t number, std::span<char> line) {
      if (std::exchange(found, true)) return;
      first.split(line, number);
      take_first_line(first);
    });
  if (!found) fail<DataError>(name_, ": want at least one row of numbers; got an empty file");
}

// Names the columns and decides whether the first line is a header.
void CsvFile::take_first_line(const CsvLine& line) {
  const auto cells = line.cells();
  const auto is_text = [](std::string_view cell) {
    Scalar ignored = 0;
    return parse_number(cell, ignored) == CellKind::text;
  };
  const auto texts = static_cast<std::size_t>(std::ranges::count_if(cells, is_text));
  header_ = options_.header.value_or(texts == cells.size());
  std::vector<std::string> names;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    names.push_back(header_ ? std::string(cells[i]) : std::to_string(i));
    if (names.back().empty())
      fail<DataError>(line.cell_name(i), ": want a column name; got an empty cell", no_header_hint());
  }
  columns_ = std::move(names);
  if (header_) check_unique();
}

void CsvFile::check_unique() const {
  std::vector<std::string_view> sorted(columns_.begin(), columns_.end());
  std::ranges::sort(sorted);
  if (const auto twice = std::ranges::adjacent_find(sorted); twice != sorted.end())
    fail<DataError>(name_, " line 1: want different column names; got ", excerpt(*twice), " twice", no_header_hint());
}

const char* CsvFile::no_header_hint() const {
  return options_.header ? "" : "; if the first line is not a header, set header = false";
}

Index CsvFile::count() const {
  CsvBlocks blocks(reader_, path_, options_);
  std::int64_t last = 0;
  // Blank lines count when more text follows, which read() refuses.
  for (CsvBlock block; blocks.next(block);) {
    std::string_view text = block.text();
    std::int64_t line = block.first_line + count_lines(text) - 1;
    for (; !text.empty(); --line) {
      if (text.ends_with('\n')) text.remove_suffix(1);
      const std::size_t start = text.rfind('\n') + 1;
      if (!is_blank_line(text.substr(start))) break;
      text = text.substr(0, start);
    }
    if (!text.empty()) last = line;
  }
  const Index rows = last - first_line() + 1;
  if (rows <= 0)
    fail<DataError>(name_, ": want at least one row of numbers; got ", last == 0 ? "an empty file" : "only a header");
  // A cell takes a byte at least, with what ends it.
  if (static_cast<std::uint64_t>(rows) > (blocks.bytes() + 1) / columns_.size())
    read([] { return std::make_unique<OnlyCells>(); });
  return rows;
}

void CsvFile::read(const std::function<std::unique_ptr<CsvBlockReader>()>& make,
                   const std::function<void(CsvBlockReader&)>& done) const {
  CsvBlocks blocks(reader_, path_, options_);
  const int threads = num_threads();
  std::vector<CsvBlock> batch(static_cast<std::size_t>(threads));
  std::vector<std::unique_ptr<CsvBlockReader>> readers(batch.size());
  std::exception_ptr problem;  // of the file after the batch
  for (bool at_end = false; !at_end && !problem;) {
    std::size_t count = 0;
    try {
      while (count < batch.size() && (at_end = !blocks.next(batch[count])) == false) readers[count++] = make();
    } catch (...) {
      problem = std::current_exception();
    }
    if (count > 0)
      parallel_for(static_cast<Index>(count), threads, [&](Index i) {
        const auto at = static_cast<std::size_t>(i);
        CsvLine cells(name_, options_, columns_);
        for_each_line(batch[at], name_, options_, [&](std::int64_t number, std::span<char> line) {
          if (number < first_line()) return;
          cells.split(line, number);
          const Index row = number - first_line();
          if (cells.cells().size() != columns_.size())
            throw DataError(
                concat(cells.name(), ": want ", columns_.size(), " columns as in line 1; got ", cells.cells().size()),
                row);
          readers[at]->take(row, cells);
        });
      });
    for (std::size_t i = 0; done && i < count; ++i) done(*readers[i]);
  }
  if (problem) std::rethrow_exception(problem);
}

std::size_t find_column(const std::vector<std::string>& columns, std::string_view name, const std::string& who) {
  if (const auto found = std::ranges::find(columns, name); found != columns.end())
    return static_cast<std::size_t>(found - columns.begin());
  constexpr std::size_t max_listed = 30;
  std::string all;
  for (std::size_t i = 0; i < std::min(max_listed, columns.size()); ++i)
    all += concat(i ? ", " : "", excerpt(columns[i]));
  if (columns.size() > max_listed) all += concat(", ... (", columns.size(), " in all)");
  fail<OptionError>(who, ": want one of the columns ", all, "; got ", excerpt(name));
}

std::vector<std::string> coded_value_notes(const Tensor& table, const std::function<std::string(Index)>& label) {
  constexpr Index max_rows = 20'000;
  const Index rows = table.shape()[0], cols = table.shape()[1], taken = std::min(rows, max_rows);
  std::vector<std::string> notes;
  std::vector<Scalar> values;
  for (Index j = 0; j < cols; ++j) {
    const std::string name = label(j);
    if (name.empty()) continue;
    values.clear();
    for (Index i = 0; i < taken; ++i)
      if (const Scalar value = table.data()[i * rows / taken * cols + j]; is_finite(value)) values.push_back(value);
    std::ranges::sort(values);
    const auto coded = find_coded_value(values);
    if (!coded || !coded->is_clear) continue;
    notes.push_back(
        concat(name, ": ", short_form(coded->value, 7), " in ",
               short_form(100 * static_cast<double>(coded->count) / static_cast<double>(taken), 2), " % of the rows, ",
               short_form(coded->lowest), " to ", short_form(coded->highest),
               " in all others: it seems to stand for a missing value; leave these rows out, put the median "
               "in its place, or use nn::Standardize::fit(train, {.robust = true})"));
  }
  return notes;
}

}  // namespace handrail::train
