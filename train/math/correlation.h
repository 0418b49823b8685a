#pragma once

#include <span>

namespace handrail::train {

/// Pearson's correlation of two series of the same length, from -1 to 1; 0 when one of them is constant.
double correlation(std::span<const double> x, std::span<const double> y);

/// Spearman's rank correlation: that of the ranks, where ties get the mean of theirs.
double rank_correlation(std::span<const double> x, std::span<const double> y);

}  // namespace handrail::train
