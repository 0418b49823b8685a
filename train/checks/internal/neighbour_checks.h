#pragma once

#include <optional>
#include <span>
#include <vector>

#include <handrail/train/checks/internal/drift_checks.h>
#include <handrail/train/data/task.h>
#include <handrail/train/report/events.h>

// What the nearest training row of a row tells: of at most 200 training rows and 150 validation rows, among at most
// 1,000 training rows. Distances are Euclidean, over at most 64 columns, each standardised by the training set and cut
// to 5 standard deviations.

namespace handrail::train {

/// What nearest neighbours found.
struct NeighbourReport {
  std::vector<Anomaly> anomalies = {};
  /// How clearly the inputs tell the targets, in standard errors above chance: how often a row and its nearest
  /// neighbour have the same class (for a regression: the correlation of their targets), or column_signal. Nothing when
  /// there are fewer than 100 rows.
  std::optional<double> signal = {};
  double noise = 0;  // the share of columns that tell nothing of the targets: see column_signal
};

/// Reports what neighbours tell:
///   "labels_shifted"    the signal of the targets of the rows before, or behind, is above 6, and that of their own
///                       below 3; or that of validation rows, by their training neighbours, is above 5 and below 3
///   "scrambled_inputs"  see check_layout
///   "labels_recoded"    the labels of validation rows are not those of their nearest training rows, but other ones:
///                       see describe_recoding; of two classes, also when they disagree by 4 standard errors, or
///                       when a linear score of the training set does (transferred_agreement)
///   "near_duplicates"   see near_duplicates and find_groups
/// keys: of the training rows, ascending. validation: when there is one.
NeighbourReport check_neighbours(const Described& train, std::span<const RowKey> keys, const Described* validation,
                                 Task task);

}  // namespace handrail::train
