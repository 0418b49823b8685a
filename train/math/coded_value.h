#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include <handrail/core/tensor.h>

namespace handrail::train {

/// A number that stands for a missing value, such as -999.
struct CodedValue {
  double value;            // such as -999
  std::size_t count;       // how often it occurs
  double lowest, highest;  // of the other values
  bool is_clear;           // false: it may as well be a value of its own, as 0 for none is
  bool is_usual;           // a usual code, -1 or 0
};

/// Finds a number that stands for a missing value in a column. It occurs at least 3 times and in 0.2 % of the rows, the
/// other values are at least 10, and one of these holds, where the range is that between the 10 % and 90 % quantiles of
/// the other values:
///   any number       the gap to the nearest other value is above 3 ranges and above the range from the lowest to the
///                    highest other value; at least 10 other values are different
///   a usual code     the gap is above 3 ranges; the codes are 99, 999, ..., -9, -99, ...,
///                    -32768 and 32767
///   a code, -1, 0    the gap is above half a range, it occurs in 1 % of the rows and 5 times as often as another
///                    value does on average; at least 20 other values are different. -1 and 0 occur in less than half
///                    of the rows. Not clear when it is 0 and the gap is below a range.
///   a usual code     it occurs in 1 % of the rows, and 95 % of the other values are different
///   9, 99, ...       it occurs in 1 % of the rows, the gap is above 2 and above half a range, and the others are 8
///                    whole numbers or fewer, one after another, or 95 % of them are different
/// values: finite, in ascending order.
std::optional<CodedValue> find_coded_value(std::span<const Scalar> values);

}  // namespace handrail::train
