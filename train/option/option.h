#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <type_traits>

#include <handrail/train/option/off.h>

namespace handrail {

/// The numbers that an option may have: {.min = 1} or {.above = 0, .below = 1}. NaN is never one of them.
struct OptionRange {
  /// Limits: at least min, more than above, at most max, less than below. Those that are absent do not limit.
  std::optional<double> min = {}, above = {}, max = {}, below = {};
  bool finite = false;  // whether infinity is refused

  /// Whether the value is within all limits. NaN never is, and infinity is not when `finite` is set.
  bool contains(double value) const;
  /// " >= 1", " > 0" or " in (0, 1)", to stand behind the name of the option; " to be a number" without limits.
  std::string text() const;
};

/// What a list of options says of one of them. Each struct of options has such a list beside it, a function template
///
///   visit_options(options, visit)
///
/// that calls visit(OptionInfo, value) for every field. It does not compile when a field is missing from it.
/// Validation, the summary of a run, what a resume compares and the command line of the examples all follow from these
/// lists.
struct OptionInfo {
  std::string name;        // that of the field; within another struct of options "guards.spike"
  std::string help;        // what the value is and its unit, for a command line
  OptionRange range = {};  // of a number
  std::string unit = {};   // follows the range in an error: " step"
  std::string hint = {};   // ends the error of a number out of range: "off means no limit"
  std::string problem =
      {};                  // follows the name when a value is wrong in another way: " of at most 100 letters; got ..."
  std::string label = {};  // its name in the summary, when that is another one
  std::string without = {};  // what may happen when it is off: its line in the summary
  bool fixed = true;         // whether a resume refuses another value, because the run would continue in another way
};

/// Values as text, as a command line takes them and a checkpoint keeps them. Numbers read back as the same number.
/// An enumeration has text when `names_of(value)` gives the array of its names; names are in the order of its values.
std::string option_text(bool value);
std::string option_text(std::int64_t value);
std::string option_text(std::uint64_t value);
std::string option_text(double value);
std::string option_text(const std::string& value);
std::string option_text(const std::filesystem::path& value);
template <class E>
requires std::is_enum_v<E> std::string option_text(E value) {
  return names_of(value).at(static_cast<std::size_t>(value));
}

/// Types of options that can be written as text. Functions, metrics and sinks cannot.
template <class T>
concept TextOption = requires(const T& value) {
  { option_text(value) } -> std::same_as<std::string>;
};

/// "off" and "automatic", as a command line takes them.
inline std::string option_text(Off) { return "off"; }
inline std::string option_text(Auto) { return "automatic"; }
/// A struct of options that can be off is "on" otherwise.
template <class T, class None>
std::string option_text(const ValueOr<T, None>& value) {
  if (!value) return option_text(None{});
  if constexpr (TextOption<T>)
    return option_text(*value);
  else
    return "on";
}

/// Whether the value is a protection or a limit that is off.
inline bool is_off(bool value) { return !value; }
template <class T>
bool is_off(const OrOff<T>& value) {
  return !value;
}

}  // namespace handrail
