#include <handrail/train/option/option.h>

#include <charconv>
#include <cmath>

#include <handrail/core/error.h>

namespace handrail {

bool OptionRange::contains(double value) const {
  if (std::isnan(value) || (finite && std::isinf(value))) return false;
  return !(min && value < *min) && !(above && value <= *above) && !(max && value > *max) && !(below && value >= *below);
}

std::string OptionRange::text() const {
  const auto lower = min ? min : above, upper = max ? max : below;
  if (!lower) return upper ? concat(max ? " <= " : " < ", option_text(*upper)) : " to be a number";
  if (!upper) return concat(min ? " >= " : " > ", option_text(*lower));
  return concat(min ? " in [" : " in (", option_text(*lower), ", ", option_text(*upper), max ? ']' : ')');
}

std::string option_text(bool value) { return value ? "on" : "off"; }
std::string option_text(std::int64_t value) { return std::to_string(value); }
std::string option_text(std::uint64_t value) { return std::to_string(value); }
std::string option_text(double value) {
  std::array<char, 32> digits;
  // Whole numbers in full, 1000000000, where the shortest text would be 1e+09.
  const bool whole = std::abs(value) < 1e15 && value == std::floor(value);
  const auto end = whole ? std::to_chars(digits.begin(), digits.end(), static_cast<std::int64_t>(value))
                         : std::to_chars(digits.begin(), digits.end(), value);
  return {digits.begin(), end.ptr};
}
std::string option_text(const std::string& value) { return value; }
std::string option_text(const std::filesystem::path& value) { return value.string(); }

}  // namespace handrail
