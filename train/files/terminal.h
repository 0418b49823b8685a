#pragma once

#include <cstddef>
#include <cstdio>
#include <string_view>

namespace handrail::train {

/// Whether the stream is a terminal that obeys escape sequences: not with TERM=dumb, nor without TERM.
bool is_terminal(std::FILE* stream);

/// The number of columns that lines on this terminal may have: one less than its width, because some terminals wrap as
/// soon as the last column is written. A terminal that does not know its width has that of $COLUMNS, or 80.
std::size_t terminal_columns(std::FILE* stream);

/// The last line of a terminal, which is drawn over again and again.
///
/// No handler of SIGWINCH is needed: the caller asks for the width before every drawing. A terminal that becomes
/// narrower may wrap the line that it shows into several rows. The cursor rests at the start of the line, and stays
/// there when the terminal wraps it, so everything from the cursor to the end of the screen is the old line. While a
/// line is written, automatic wrapping is off, because the terminal may have become narrower after it was asked.
class LiveLine {
 public:
  explicit LiveLine(std::FILE* stream) : stream_(stream) {}

  /// text: at most `columns` columns wide.
  void draw(std::string_view text, std::size_t columns);
  /// Erases the line, when there is one.
  void clear();

 private:
  std::FILE* stream_;
  bool drawn_ = false;
  std::size_t columns_ = 0;  // when it was drawn
};

}  // namespace handrail::train
