#pragma once

#include <string>
#include <vector>

#include <handrail/train/report/html/internal/curve.h>

namespace handrail::train::html {

/// The axis of a chart: its range, its scale, and where its ticks are.
struct Axis {
  double low = 0, high = 1;
  bool is_log = false;  // then low > 0
  std::vector<double> ticks = {};

  /// Where a value is, from 0 at `low` to 1 at `high`; outside of that for a value beyond the range. NaN for a value
  /// that has no place, such as 0 on a logarithmic axis.
  double place(double value) const;
};

/// A linear axis that shows the values from low to high, which may be equal, with at most `max_ticks` ticks, at least
/// 2, at multiples of 1, 2 or 5 times a power of ten. The range is widened to the ticks around it when `to_ticks`.
Axis linear_axis(double low, double high, int max_ticks, bool to_ticks = true);
/// A logarithmic axis from `low`, which is positive, to `high`. Its ticks are powers of ten, or, when these are few, 1,
/// 2 and 5 times them.
Axis log_axis(double low, double high, int max_ticks);
/// A logarithmic axis when no value is negative and the positive ones differ by more than a factor of ten, else a
/// linear one; from 0 to 1 without values.
Axis value_axis(const Extent& extent, int max_ticks);
/// The axis of the steps of a run. Its ticks are whole numbers.
Axis step_axis(double first, double last);

/// The value of a tick as a label. `axis` says how many decimals all its labels have: 0.5 and 1.0, but 1e-05, 20k.
std::string tick_label(const Axis& axis, double tick);

}  // namespace handrail::train::html
