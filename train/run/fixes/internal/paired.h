#pragma once

#include <span>

namespace handrail::train {

/// The mean difference of two measurements of the same things.
struct PairedDifference {
  double mean, low, high;  // the mean and its 95 % confidence interval
};
/// now - reference, over the same groups of samples. A loss that is not finite is worse than any other; all three are
/// NaN when both have such a loss.
PairedDifference paired_difference(std::span<const double> reference, std::span<const double> now);

/// Whether `now` is lower than the reference, over the same groups of samples, beyond noise: on average, and by one of
/// two tests, each one-sided at 2.5 %. These are the interval of the mean, and the signed-rank test of Wilcoxon (1945),
/// from which a few groups with huge losses hide no difference. A loss that is not finite is higher than any other.
bool is_lower_beyond_noise(std::span<const double> reference, std::span<const double> now);

}  // namespace handrail::train
