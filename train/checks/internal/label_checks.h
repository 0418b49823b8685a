#pragma once

#include <optional>
#include <span>
#include <vector>

#include <handrail/train/data/internal/data_part.h>
#include <handrail/train/data/task.h>
#include <handrail/train/report/events.h>

namespace handrail::train {

/// Counts how often each class occurs among the targets. Of a very large set only some rows are read: see sample_rows.
/// multiclass: a target is a whole number in [0, classes), or any whole number from 0 when `classes` is not given.
/// binary: a target is in [0, 1] and counts as the nearer class. Samples with several targets are checked, not counted.
/// regression: returns an empty vector.
/// Throws DataError naming set and row of a target that is no class; ShapeError when a multiclass sample has more than
/// one target.
std::vector<Index> count_labels(const DataPart& part, Task task, std::optional<Index> classes = {});

/// What a row of each class counts in a loss in which all classes that occur count the same: N / (C n_c), and 1 for a
/// class that does not occur. counts: n_c of each class.
std::vector<double> balanced_weights(std::span<const Index> counts);

/// Reports "missing_class" when a class never occurs, and "class_imbalance" when the most frequent class occurs more
/// than 20 times as often as the rarest one that occurs. counts: the number of training rows of each class.
std::vector<Anomaly> check_class_counts(std::span<const Index> counts);

}  // namespace handrail::train
