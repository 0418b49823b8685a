#include <handrail/train/files/terminal.h>

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>

namespace handrail::train {

bool is_terminal(std::FILE* stream) {
  const char* kind = std::getenv("TERM");
  return isatty(fileno(stream)) == 1 && kind && std::string_view(kind) != "dumb";
}

bool has_colours(std::FILE* stream) {
  const char* refused = std::getenv("NO_COLOR");
  return is_terminal(stream) && !(refused && *refused);
}

std::size_t terminal_columns(std::FILE* stream) {
  constexpr std::size_t default_width = 80;
  std::size_t width = 0;
  winsize size{};
  if (ioctl(fileno(stream), TIOCGWINSZ, &size) == 0) width = size.ws_col;
  if (const char* given = std::getenv("COLUMNS"); width == 0 && given) {
    const std::string_view text(given);
    std::from_chars(text.data(), text.data() + text.size(), width);
  }
  return std::max<std::size_t>(width == 0 ? default_width : width, 2) - 1;
}

void LiveLine::draw(std::string_view text, std::size_t columns) {
  // A line that is drawn over the old one does not flicker. After a change of the width, however, the terminal may
  // remember that the old line continues in the next row, until all of it is erased.
  if (columns != columns_) clear();
  std::fprintf(stream_, "\r\x1b[?7l%.*s\x1b[J\x1b[?7h\r", static_cast<int>(text.size()), text.data());
  drawn_ = true;
  columns_ = columns;
}

void LiveLine::clear() {
  if (drawn_) std::fputs("\r\x1b[J", stream_);
  drawn_ = false;
}

}  // namespace handrail::train
