#include <handrail/train/report/internal/sinks/histogram.h>

#include <algorithm>
#include <limits>

#include <handrail/core/system/finite.h>

namespace handrail::train {

std::optional<Histogram> histogram_of(std::span<const Scalar> values, std::size_t bucket_count) {
  constexpr double none = std::numeric_limits<double>::infinity();
  Histogram h{.min = none, .max = -none};
  for (const Scalar scalar : values) {
    const auto value = static_cast<double>(scalar);
    if (!is_finite(value)) continue;
    h.min = std::min(h.min, value);
    h.max = std::max(h.max, value);
    h.sum += value;
    h.sum_of_squares += value * value;
    ++h.count;
  }
  if (h.count == 0) return std::nullopt;
  const std::size_t size = h.max > h.min ? bucket_count : 1;
  const double width = (h.max - h.min) / static_cast<double>(size);
  for (std::size_t i = 0; i + 1 < size; ++i) h.limits.push_back(h.min + width * static_cast<double>(i + 1));
  h.limits.push_back(h.max);
  h.buckets.assign(size, 0);
  for (const Scalar scalar : values) {
    const auto value = static_cast<double>(scalar);
    if (!is_finite(value)) continue;
    const double place = size > 1 ? (value - h.min) / width : 0;
    ++h.buckets[std::min(static_cast<std::size_t>(place), size - 1)];
  }
  return h;
}

}  // namespace handrail::train
