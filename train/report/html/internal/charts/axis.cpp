#include <handrail/train/report/html/internal/charts/axis.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include <handrail/train/files/text.h>

namespace handrail::train::html {
namespace {

// The smallest of 1, 2 and 5 times a power of ten that is not below `step`.
double nice_step(double step) {
  const double power = std::pow(10, std::floor(std::log10(step)));
  for (const double factor : {1.0, 2.0, 5.0})
    if (step <= factor * power * (1 + 1e-9)) return factor * power;
  return 10 * power;
}

double tick_distance(const Axis& axis) {
  return axis.ticks.size() > 1 ? axis.ticks[1] - axis.ticks[0] : axis.high - axis.low;
}

}  // namespace

double Axis::place(double value) const {
  if (!is_log) return (value - low) / (high - low);
  if (!(value > 0)) return std::numeric_limits<double>::quiet_NaN();
  return std::log(value / low) / std::log(high / low);
}

Axis linear_axis(double low, double high, int max_ticks, bool to_ticks) {
  // Half of each, as the difference of two huge numbers is infinite.
  const double scale = std::max(std::abs(low), std::abs(high));
  if (!(high / 2 - low / 2 > 1e-9 * scale)) {
    const double around = scale > 0 ? 0.05 * scale : 0.5;
    low -= around;
    high += around;
  }
  Axis axis{.low = low, .high = high};
  const double width = std::min(high - low, std::numeric_limits<double>::max() / 4);
  const double step = nice_step(width / (max_ticks - 1));
  double first = std::ceil(low / step - 1e-9), last = std::floor(high / step + 1e-9);
  if (to_ticks) {
    // A range that ends just beyond a tick is not widened to the next one.
    if (first - low / step > 0.05) --first;
    if (high / step - last > 0.05) ++last;
    axis.low = std::min(low, first * step);
    axis.high = std::max(high, last * step);
  }
  for (double k = first; k <= last && std::ssize(axis.ticks) <= max_ticks + 2; ++k) axis.ticks.push_back(k * step);
  return axis;
}

Axis log_axis(double low, double high, int max_ticks) {
  const double margin = high > low ? std::pow(high / low, 0.04) : 1.5;
  Axis axis{.low = std::max(low / margin, std::numeric_limits<double>::min()), .high = high * margin, .is_log = true};
  if (!std::isfinite(axis.high)) axis.high = std::numeric_limits<double>::max();
  const int first = static_cast<int>(std::floor(std::log10(axis.low))),
            last = static_cast<int>(std::ceil(std::log10(axis.high)));
  const auto add = [&axis](double tick) {
    if (tick >= axis.low && tick <= axis.high) axis.ticks.push_back(tick);
  };
  if (last - first <= std::max(2, max_ticks / 3 + 1)) {
    for (int power = first; power <= last; ++power)
      for (const double factor : {1.0, 2.0, 5.0}) add(factor * std::pow(10, power));
    if (std::ssize(axis.ticks) <= max_ticks + 2) return axis;
    axis.ticks.clear();
  }
  const int every = std::max(1, (last - first + max_ticks - 1) / max_ticks);
  for (int power = first; power <= last; ++power)
    if (power % every == 0) add(std::pow(10, power));
  return axis;
}

Axis value_axis(const Extent& extent, int max_ticks) {
  if (extent.empty()) return linear_axis(0, 1, max_ticks);
  const bool is_log = extent.low >= 0 && extent.high > 10 * extent.least_positive;
  return is_log ? log_axis(extent.least_positive, extent.high, max_ticks)
                : linear_axis(extent.low, extent.high, max_ticks);
}

Axis step_axis(double first, double last) {
  Axis axis = linear_axis(first, std::max(last, first + 1), 6, false);
  std::erase_if(axis.ticks, [](double tick) { return tick != std::round(tick); });
  return axis;
}

std::string tick_label(const Axis& axis, double tick) {
  const double size = std::abs(tick);
  if (size < 1e-12 * std::max(std::abs(axis.low), std::abs(axis.high))) return "0";
  if (axis.is_log) return short_form(tick, 2);
  const double distance = tick_distance(axis), largest = std::max(std::abs(axis.low), std::abs(axis.high));
  if (distance >= 1000 && largest < 1e9) {
    const bool millions = distance >= 1e6;
    return short_form(tick / (millions ? 1e6 : 1e3), 6) + (millions ? "M" : "k");
  }
  if (largest >= 1e6 || largest < 1e-3) return short_form(tick, 3);
  const int decimals = std::clamp(-static_cast<int>(std::floor(std::log10(distance) + 1e-9)), 0, 8);
  std::string text = fixed_form(tick, decimals);
  return text;
}

}  // namespace handrail::train::html
