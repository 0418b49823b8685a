#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <system_error>

#include <handrail/core/error.h>
#include <handrail/train/data/internal/csv_file.h>
#include <handrail/train/files/text.h>

namespace handrail::train {

CellKind parse_number(std::string_view cell, Scalar& value) {
  // std::from_chars accepts no plus sign.
  if (cell.size() > 1 && cell[0] == '+' && cell[1] != '-') cell.remove_prefix(1);
  const char* const end = cell.data() + cell.size();
  const auto result = std::from_chars(cell.data(), end, value);
  if (result.ec == std::errc::invalid_argument || result.ptr != end) return CellKind::text;
  if (result.ec == std::errc{}) return CellKind::number;
  // Too large or too small for Scalar: a double shows which of the two.
  double wide = 0;
  if (std::from_chars(cell.data(), end, wide).ec != std::errc{} || std::abs(wide) > 1) return CellKind::out_of_range;
  value = static_cast<Scalar>(wide);
  return CellKind::number;
}

std::string CsvLine::name() const { return concat(file_, " line ", number_); }

std::string CsvLine::cell_name(std::size_t column) const {
  const auto name = column < columns_.size() ? concat(' ', excerpt(columns_[column])) : "";
  return concat(this->name(), ", column ", column + 1, name);
}

void CsvLine::split(std::span<char> text, std::int64_t number) {
  number_ = number;
  if (const void* const nul = std::memchr(text.data(), '\0', text.size()))
    fail<DataError>(name(), ": want text in UTF-8; got a NUL in byte ",
                    static_cast<const char*>(nul) - text.data() + 1);
  cells_.clear();
  char* const end = text.data() + text.size();
  for (char* first = text.data();; ++first) {
    while (first != end && is_padding(*first)) ++first;
    const bool in_quotes = first != end && *first == '"';
    char* const last = in_quotes ? split_quoted(first, end) : std::find(first, end, options_.delimiter);
    if (!in_quotes) cells_.push_back(trimmed({first, last}));
    if (last == end) return;
    first = last;
  }
}

// Adds the cell that starts with the quote at `first`. Returns where it ends: a delimiter, or the end of the line.
char* CsvLine::split_quoted(char* first, char* end) {
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

std::string CsvLine::number_problem(std::size_t column, CellKind kind) const {
  const std::string_view cell = cells_[column];
  if (cell.empty()) return "want a number; got an empty cell";
  if (kind == CellKind::out_of_range)
    return concat("want a number in the range of ", sizeof(Scalar) == 4 ? "float" : "double", "; got ", excerpt(cell));
  if (kind == CellKind::number) return concat("want a finite number; got ", excerpt(cell));
  std::string hint = std::ranges::count(cell, ',') == 1 ? "; write a decimal point, not a comma" : "";
  for (const char other : {'|', '\t', ';'})
    if (other != options_.delimiter && cell.find(other) != std::string_view::npos)
      hint =
          concat("; is the delimiter ", excerpt({&other, 1}), " instead of ", excerpt({&options_.delimiter, 1}), "?");
  if (hint.empty() && number_ == 1 && !options_.header) hint = "; if the first line is a header, set header = true";
  return concat("want a number; got ", excerpt(cell), hint);
}

void CsvLine::refuse(std::size_t column, CellKind kind, Index row, const char* remedy) const {
  const std::string hint = kind == CellKind::number ? concat("; ", remedy) : "";
  throw DataError(concat(cell_name(column), ": ", number_problem(column, kind), hint), row);
}

}  // namespace handrail::train
