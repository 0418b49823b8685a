#pragma once

#include <array>
#include <charconv>
#include <cstdint>
#include <string>

namespace handrail::train {

/// With the thousands apart: 54,000.
std::string grouped(std::int64_t value);

/// Appends the number, as short as reads back the same.
template <class Number>
void append_exact(std::string& text, Number value) {
  std::array<char, 32> digits;
  text.append(digits.begin(), std::to_chars(digits.begin(), digits.end(), value).ptr);
}

}  // namespace handrail::train
