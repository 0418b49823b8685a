#include <handrail/train/report/html/internal/escape.h>

#include <algorithm>

#include <handrail/core/error.h>
#include <handrail/train/files/text.h>

namespace handrail::train::html {

void append_escaped(std::string& page, std::string_view text) {
  const auto is_plain = [](char c) { return c >= ' ' && c < 0x7f; };
  const auto append = [&page](std::string_view part) {
    for (const char c : part) {
      switch (c) {
        case '&':
          page += "&amp;";
          break;
        case '<':
          page += "&lt;";
          break;
        case '>':
          page += "&gt;";
          break;
        case '"':
          page += "&quot;";
          break;
        case '\'':
          page += "&#39;";
          break;
        default:
          page += c;
      }
    }
  };
  if (std::ranges::all_of(text, is_plain))
    append(text);
  else
    append(printable(text));
}

std::string escaped(std::string_view text) {
  std::string page;
  append_escaped(page, text);
  return page;
}

std::string shortened(std::string_view text, std::size_t max_characters) {
  if (text_width(text) <= max_characters) return std::string(text);
  std::size_t width = 0, end = 0;
  const auto continues = [](char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; };
  for (; end < text.size(); ++end)
    if (!continues(text[end]) && ++width == max_characters) break;
  return std::string(text.substr(0, end)) + "\u2026";
}

}  // namespace handrail::train::html
