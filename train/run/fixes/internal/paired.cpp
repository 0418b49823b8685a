#include <handrail/train/run/fixes/internal/paired.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <handrail/core/system/finite.h>
#include <handrail/train/math/robust.h>

namespace handrail::train {

PairedDifference paired_difference(std::span<const double> reference, std::span<const double> now) {
  const auto is_bad = [](double loss) { return !is_finite(loss); };
  const bool was_bad = std::ranges::any_of(reference, is_bad), is_bad_now = std::ranges::any_of(now, is_bad);
  if (was_bad || is_bad_now || reference.size() != now.size()) {
    const double all = was_bad == is_bad_now ? std::numeric_limits<double>::quiet_NaN()
                       : was_bad             ? -HUGE_VAL
                                             : HUGE_VAL;
    return {all, all, all};
  }
  const auto [mean, error] = paired_moments(now, reference);
  const double half = now.size() < 2 ? HUGE_VAL : 1.96 * error;
  return {mean, mean - half, mean + half};
}

bool is_lower_beyond_noise(std::span<const double> reference, std::span<const double> now) {
  const PairedDifference difference = paired_difference(reference, now);
  if (!(difference.mean < 0)) return false;
  if (!is_finite(difference.mean) || difference.high < 0) return true;
  std::vector<double> changes;  // without those of 0, as Wilcoxon has it
  for (std::size_t i = 0; i < now.size(); ++i)
    if (now[i] != reference[i]) changes.push_back(now[i] - reference[i]);
  std::ranges::sort(changes, {}, [](double change) { return std::abs(change); });
  double sum = 0;  // of the ranks of the falls minus those of the rises
  for (std::size_t i = 0; i < changes.size(); ++i) sum += static_cast<double>(i + 1) * (changes[i] < 0 ? 1 : -1);
  const auto n = static_cast<double>(changes.size());
  return sum > 1.96 * std::sqrt(n * (n + 1) * (2 * n + 1) / 6);
}

}  // namespace handrail::train
