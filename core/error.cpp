#include <handrail/core/error.h>

#include <algorithm>

namespace handrail {
namespace {

// The length of the character in UTF-8 that the text begins with; 0 when it begins with none.
std::size_t character_length(std::string_view text) {
  const auto first = static_cast<unsigned char>(text[0]);
  const std::size_t length = first < 0x80 ? 1 : first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  if (first >= 0xF5 || length > text.size()) return 0;
  const auto continues = [](char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; };
  return std::ranges::all_of(text.substr(1, length - 1), continues) ? length : 0;
}

// Whether a character is a control character: those of ASCII, and U+0080 to U+009F, which some terminals obey too.
bool is_control(std::string_view character) {
  const auto first = static_cast<unsigned char>(character[0]);
  return character.size() == 1 ? first < 0x20 || first == 0x7F
                               : first == 0xC2 && static_cast<unsigned char>(character[1]) < 0xA0;
}

}  // namespace

std::string printable(std::string_view text, LineEnds line_ends) {
  constexpr const char* digits = "0123456789abcdef";
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const std::size_t length = character_length(text);
    const std::string_view character = text.substr(0, length == 0 ? 1 : length);
    const bool is_line_end = text[0] == '\n' && line_ends == LineEnds::keep;
    if (is_line_end || (length > 0 && !is_control(character)))
      result += character;
    else
      for (const char c : character) {
        const auto byte = static_cast<unsigned char>(c);
        result.append({'\\', 'x', digits[byte >> 4], digits[byte & 15]});
      }
    text.remove_prefix(character.size());
  }
  return result;
}

}  // namespace handrail
