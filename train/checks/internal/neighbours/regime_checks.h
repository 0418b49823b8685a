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
///                       quarter of a standard deviation in their medians, or by 0.15 in the shares of the classes
std::optional<Anomaly> check_regimes(const Described& train, const NeighbourGraph& graph, Task task);

}  // namespace handrail::train
