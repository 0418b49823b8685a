#pragma once

#include <cstddef>
#include <locale>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#ifdef __FAST_MATH__
#error "handrail checks for NaN and infinity; -ffast-math would delete those checks. Build without it."
#endif

namespace handrail {

/// What printable() does with line ends.
enum class LineEnds { keep, escape };
/// The text with control characters, which a terminal would obey, and bytes that are not UTF-8 written as \x1b. For
/// texts that contain names, paths or settings from outside.
std::string printable(std::string_view text, LineEnds line_ends = LineEnds::keep);

/// The base of every exception that the library throws. The text names the operation, says what was wanted and what was
/// got and, where it is known, what to do. It is printable().
struct Error : std::runtime_error {
  /// The text is made printable(), because it may quote names and contents of files.
  explicit Error(const std::string& message) : std::runtime_error(printable(message)) {}
};
/// Shapes do not fit the operation.
struct ShapeError : Error {
  using Error::Error;
};
/// The tape is misused: an input belongs to a finished tape, backward runs twice, a saved tensor was changed.
struct TapeError : Error {
  using Error::Error;
};
/// Data cannot be trained on: a file is damaged, a label is out of range, a value is not finite.
struct DataError : Error {
  /// bad_row: see `row`.
  explicit DataError(const std::string& message, std::ptrdiff_t bad_row = -1) : Error(message), row(bad_row) {}
  std::ptrdiff_t row;  // in the batch, table or file, from 0; -1 when the error is not about one row
};
/// Options are unknown, out of range or contradict each other. The text lists every problem.
struct OptionError : Error {
  using Error::Error;
};
/// A weights or checkpoint file is damaged or does not fit the model. The text lists every problem.
struct CheckpointError : Error {
  using Error::Error;
};

/// An update would leave values that are not finite. See Optimizer::step for whether it was undone.
struct NonFiniteError : Error {
  /// at: see `where`.
  explicit NonFiniteError(const std::string& message, std::string at = {}) : Error(message), where(std::move(at)) {}
  std::string where;  // the name of the parameter; empty when it is not known
};

/// A stream into a text. Numbers look the same whatever std::locale::global says, because texts are compared on resume
/// and written to files.
struct TextStream : std::ostringstream {
  TextStream() {
    imbue(std::locale::classic());
    exceptions(std::ios::badbit);  // else a lack of memory would cut the text short without an error
  }
};

/// The text of all parts, each written with operator<<, one after another.
template <class... Parts>
std::string concat(const Parts&... parts) {
  TextStream text;
  (text << ... << parts);
  return text.str();
}

/// Throws E with the parts as its text.
template <class E = Error, class... Parts>
[[noreturn]] void fail(const Parts&... parts) {
  throw E(concat(parts...));
}

}  // namespace handrail
