#pragma once

#include <span>
#include <vector>

#include <handrail/train/data/task.h>

// How clearly numbers tell the targets of their rows, one column at a time.

namespace handrail::train {

/// Targets as series that a column can be correlated with: the target of a regression itself, or, for each of the
/// commonest classes, at most 10, whether it is the target.
struct TargetSeries {
  std::vector<std::vector<double>> series = {};
  std::size_t rows = 0;
};
TargetSeries target_series(std::span<const double> targets, Task task);

/// How clearly values tell the targets of their rows: the largest correlation of the values, or of their squared
/// distances from their median, with a series, in standard errors (|r| sqrt(rows)). Values are cut at 3 times the range
/// between the quartiles around the median first, so that a few outliers do not decide. 0 for equal values.
double association(std::span<const double> values, const TargetSeries& targets);

/// What the largest of that many associations is by chance: sqrt(2 ln(count of correlations)).
double association_by_chance(std::size_t columns, const TargetSeries& targets);

/// The share of columns that say nothing about the targets, from 0 to 1: twice that of the columns whose association
/// chance exceeds more often than not (Storey 2002). associations: of columns that vary.
double share_of_noise(std::span<const double> associations, const TargetSeries& targets);

/// How well two series of targets agree, in standard errors above chance: the correlation of those of a regression,
/// which are cut as values are, or how often classes are the same. 0 for classes that are all the same.
double agreement(std::span<const double> a, std::span<const double> b, Task task);

/// How well a score agrees with other targets: the sum of the columns of these rows, each times its correlation with
/// the training targets. In standard errors of its correlation; below 0 when the targets have the opposite sign.
double transferred_agreement(std::span<const std::vector<float>> train, std::span<const double> targets,
                             std::span<const std::vector<float>> other, std::span<const double> other_targets);

}  // namespace handrail::train
