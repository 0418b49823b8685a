#pragma once

#include <optional>

#include <handrail/train/checks/internal/neighbours/neighbour_graph.h>
#include <handrail/train/report/events.h>

// Training rows of which some have a target of their own, and others one that was put in for it.

namespace handrail::train {

/// Reports "label_noise" when rows of the commonest of at least 3 classes lie among those of all others, as those
/// without a label do that count as the first class. Of the 5 neighbours of at least 40 rows of other classes:
///   commonest class   30 % have it, and 0.85 times its share of all rows, and their number is nearly the same
///                     everywhere: its variance is below 1.4 times the binomial one, while natural classes overlap in
///                     some places, and the rows of each class have it as often as all, within 4 standard errors
///   other classes     60 % of the others have the class of the row, and more than by chance by 6 standard errors
/// It is a note: a class that lies between the others looks like that too.
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
