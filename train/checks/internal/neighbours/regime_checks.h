#pragma once

#include <optional>

#include <handrail/train/checks/internal/neighbours/neighbour_graph.h>
#include <handrail/train/report/events.h>

// Training rows of two kinds, whose targets follow from their inputs in different ways.

namespace handrail::train {

/// Where the relation of inputs and targets changes.
struct Change {
  std::size_t point = 0;  // the first point of the second part
  double errors = 0;      // how much better neighbours agree within the parts than across, in standard errors
};
/// Finds the row from which on neighbours of the same part agree better than those of the two parts, the clearest of
/// the 5 %, 10 %, ..., 95 % of the rows (a scan over a graph of neighbours: Chen and Zhang 2015). Nothing unless this
/// is above 7 standard errors, and 6 standard deviations above the mean of what 40 random orders of the rows give:
/// maxima have about a Gumbel distribution, which exceeds that with a chance of 3e-4 where the order of rows means
/// nothing.
/// Neighbours within 5 % of the rows of each other are left out: they may belong to a group of rows in sequence.
std::optional<Change> find_change(const NeighbourGraph& graph);

/// Reports what changes at a row of the training set:
///   "columns_permuted"  columns of the rows behind look like other columns of those before: see find_permutation
///   "labels_recoded"    rows behind have other classes than similar rows before: see describe_recoding
///   "two_regimes"       else, when the targets of the two parts do not differ, as those of sorted rows do: by a
///   quarter
///                       of a standard deviation in their medians, or by 0.15 in the shares of the classes
std::optional<Anomaly> check_regimes(const Described& train, const NeighbourGraph& graph, Task task);

/// Reports "label_noise" when rows of the commonest of at least 3 classes lie among those of all others, as those
/// without a label do that count as the first class. Of the 5 neighbours of at least 40 rows of other classes:
///   commonest class   30 % have it, and 0.85 times its share of all rows, and their number is nearly the same
///   everywhere:
///                     its variance is below 1.4 times the binomial one, while natural classes overlap in some places
///   other classes     60 % of the others have the class of the row, and more than by chance by 6 standard errors
std::optional<Anomaly> check_unlabelled(const Described& train, const NeighbourGraph& graph, Task task);

/// Reports "labels_shifted" when targets repeat that of the row before, as missing ones that were filled forward. All
/// of these hold:
///   repeats     5 % more pairs of rows in sequence have equal targets than by chance, by 6 standard errors
///   inputs      those of such a pair are not nearer to each other than those of other pairs, as they are where rows
///   are
///               in groups: at least 0.9 times as far in the median, or 0.75 times for a regression
///   neighbours  of classes: they agree worse with targets that repeat than with others, by 2 standard errors; within a
///               natural sequence of one class they agree better
std::optional<Anomaly> check_filled_targets(const Described& train, const NeighbourGraph& graph, Task task);

}  // namespace handrail::train
