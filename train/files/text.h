#pragma once

#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace handrail::train {

/// The number with a comma before each group of three digits: 54,000.
std::string grouped(std::int64_t value);
/// The number and what it counts: "1 epoch", "54,000 steps", "2 batches". The plural is `singular` with an s unless
/// `plural` is given.
std::string counted(std::int64_t count, const char* singular, const char* plural = nullptr);

/// The number rounded to at most `digits` significant digits, 1 to 17, without trailing zeros: 0.02346, 0.5, 12.34,
/// 2.346e-05. A value other than 0 never reads as 0.
std::string short_form(double value, int digits = 4);
/// The number with that many decimals: 12.30. It must be below 1e20 or so.
std::string fixed_form(double value, int decimals);
/// The number with exactly four significant digits, so that a column of numbers is aligned: 0.5000, 12.34, 2.346e-05.
std::string four_digits(double value);

/// How many columns a text in UTF-8 takes on a terminal. Every character counts as one column.
std::size_t text_width(std::string_view text);
/// The text in lines of at most `columns` columns, broken at spaces. Every line but the first starts with `indent`
/// spaces. A word that is longer than a line is not broken. With `columns` 0 the text is returned unchanged.
std::string wrapped(std::string_view text, std::size_t columns, std::size_t indent);

/// Text from a file for use in a message: in quotes, printable() without line ends, and cut to `max_bytes` bytes.
std::string excerpt(std::string_view text, std::size_t max_bytes = 40);
/// A name for use in a message, written as excerpt() does but with up to 200 bytes: names of parameters can be long.
inline std::string quoted_name(std::string_view name) { return excerpt(name, 200); }

/// A name as a cell of a CSV file: printable() without line ends, and in quotes where it needs them, so that names that
/// users give to metrics break no line and no column.
std::string csv_cell(std::string_view text);

/// Appends the shortest decimal text that reads back as the same number.
template <class Number>
void append_exact(std::string& text, Number value) {
  std::array<char, 32> digits;
  text.append(digits.begin(), std::to_chars(digits.begin(), digits.end(), value).ptr);
}

}  // namespace handrail::train
