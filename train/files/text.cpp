#include <handrail/train/files/text.h>

#include <algorithm>

#include <handrail/core/error.h>

namespace handrail::train {

std::string grouped(std::int64_t value) {
  const std::string digits = std::to_string(value);
  std::string text;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    const std::size_t left = digits.size() - i;
    if (i > 0 && left % 3 == 0 && digits[i - 1] != '-') text += ',';
    text += digits[i];
  }
  return text;
}

std::string counted(std::int64_t count, const char* singular, const char* plural) {
  std::string text = grouped(count) + ' ';
  if (count == 1) return text + singular;
  return plural ? text + plural : text + singular + 's';
}

// std::to_chars does what printf does, but with a decimal point in every locale.
std::string short_form(double value, int digits) {
  std::array<char, 32> text;
  return {text.begin(), std::to_chars(text.begin(), text.end(), value, std::chars_format::general, digits).ptr};
}

std::string fixed_form(double value, int decimals) {
  std::array<char, 32> text;
  return {text.begin(), std::to_chars(text.begin(), text.end(), value, std::chars_format::fixed, decimals).ptr};
}

std::string four_digits(double value) {
  std::array<char, 32> text;
  std::string digits(text.begin(),
                     std::to_chars(text.begin(), text.end(), value, std::chars_format::scientific, 3).ptr);
  const std::size_t mark = digits.find('e');
  if (mark == std::string::npos) return digits;  // nan and inf
  const int exponent = std::stoi(digits.substr(mark + 1));
  return exponent >= -4 && exponent < 4 ? fixed_form(value, 3 - exponent) : digits;
}

std::size_t text_width(std::string_view text) {
  const auto continues = [](char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; };
  return text.size() - static_cast<std::size_t>(std::ranges::count_if(text, continues));
}

std::string wrapped(std::string_view text, std::size_t columns, std::size_t indent) {
  if (columns == 0) return std::string(text);
  std::string lines;
  std::size_t width = 0;
  while (!text.empty()) {
    // The spaces before a word are kept, because they may align it with other lines.
    const std::size_t word = std::min(text.find_first_not_of(' '), text.size());
    const std::size_t end = std::min(text.find(' ', word), text.size());
    std::string_view piece = text.substr(0, end);
    if (!lines.empty() && width + text_width(piece) > columns) {
      lines += '\n';
      lines.append(indent, ' ');
      width = indent;
      piece.remove_prefix(word);
    }
    lines += piece;
    width += text_width(piece);
    text.remove_prefix(end);
  }
  return lines;
}

std::string excerpt(std::string_view text, std::size_t max_bytes) {
  return concat('\'', printable(text.substr(0, max_bytes), LineEnds::escape), text.size() > max_bytes ? "...'" : "'");
}

std::string csv_cell(std::string_view text) {
  std::string cell = printable(text, LineEnds::escape);
  if (cell.find_first_of(",\"") == std::string::npos) return cell;
  for (std::size_t i = cell.find('"'); i != std::string::npos; i = cell.find('"', i + 2)) cell.insert(i, 1, '"');
  return concat('"', cell, '"');
}

}  // namespace handrail::train
