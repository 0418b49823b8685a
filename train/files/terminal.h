#pragma once

#include <cstddef>
#include <cstdio>
#include <string_view>

namespace handrail::train {

/// Whether the stream is a terminal that obeys escape sequences. It is not when TERM is unset or "dumb".
bool is_terminal(std::FILE* stream);

/// Whether text on the stream may have colours: on a terminal, unless NO_COLOR is set and not empty (no-color.org).
bool has_colours(std::FILE* stream);

/// How many columns a line on this terminal may have: one less than its width, because some terminals wrap as soon as
/// the last column is written. When the terminal does not report a width, $COLUMNS is taken, or else 80.
std::size_t terminal_columns(std::FILE* stream);

/// The last line of a terminal, which is redrawn in place.
///
/// The caller asks for the width before every draw, so no handler of SIGWINCH is needed. A terminal that becomes
/// narrower may wrap the line into several rows. The cursor rests at the start of the line and stays there when the
/// terminal wraps it, so everything from the cursor to the end of the screen is the old line. Automatic wrapping is off
/// while a line is written, because the terminal may have become narrower after it was asked for its width.
class LiveLine {
 public:
  explicit LiveLine(std::FILE* stream) : stream_(stream) {}

  /// Replaces the line by `text`, which is at most `columns` columns wide.
  void draw(std::string_view text, std::size_t columns);
  /// Erases the line, if one is shown.
  void clear();

 private:
  std::FILE* stream_;
  bool drawn_ = false;
  std::size_t columns_ = 0;  // the limit of the last draw
};

}  // namespace handrail::train
