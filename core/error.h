#pragma once

#include <cstddef>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>

#ifdef __FAST_MATH__
#error "handrail checks for NaN and infinity; -ffast-math would delete those checks. Build without it."
#endif

namespace handrail {

/// Base of every exception the library throws. The text names the operation, what was wanted, what
/// was got and, when it is known, what to do.
struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};
/// Shapes that do not fit the operation.
struct ShapeError : Error {
  using Error::Error;
};
/// A misuse of the tape: a tensor of a finished tape, a second backward, a changed saved tensor.
struct TapeError : Error {
  using Error::Error;
};
/// Data that cannot be trained on: a damaged file, a label out of range, a value that is not finite.
struct DataError : Error {
  explicit DataError(const std::string& message, std::ptrdiff_t bad_row = -1) : Error(message), row(bad_row) {}
  std::ptrdiff_t row;  // of the batch, table or file; -1 when it is not about one
};
/// Options that are unknown, out of range or contradict each other; every problem is listed.
struct OptionError : Error {
  using Error::Error;
};
/// A weights or checkpoint file that is damaged or does not fit the model; every problem is listed.
struct CheckpointError : Error {
  using Error::Error;
};

/// An update that would leave values that are not finite, so it was not made.
struct NonFiniteError : Error {
  explicit NonFiniteError(const std::string& message, std::string at = {}) : Error(message), where(std::move(at)) {}
  std::string where;  // the parameter
};

/// The parts streamed one after another.
template <class... Parts>
std::string concat(const Parts&... parts) {
  std::ostringstream text;
  text.exceptions(std::ios::badbit);  // else a lack of memory only cuts the text short, a file name say
  (text << ... << parts);
  return text.str();
}

/// Throws E with the parts as its text.
template <class E = Error, class... Parts>
[[noreturn]] void fail(const Parts&... parts) {
  throw E(concat(parts...));
}

}  // namespace handrail
