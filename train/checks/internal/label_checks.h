#pragma once

#include <optional>
#include <span>
#include <vector>

#include <handrail/train/data/internal/data_part.h>
#include <handrail/train/data/task.h>
#include <handrail/train/report/events.h>

namespace handrail::train {

/// Counts how often each class occurs. Reads the rows of sample_rows.
///   multiclass: targets [N] are whole numbers in [0, classes), or from 0 on when `classes` is absent;
///   binary: targets are in [0, 1] and count as the nearer class; with several labels to a row nothing is counted;
///   regression: nothing is read or counted.
/// Throws ShapeError when a sample of multiclass has several targets; DataError, naming data set and row, when a target
/// is none of these.
std::vector<Index> count_labels(const DataPart& part, Task task, std::optional<Index> classes = {});

/// Names "missing_class" when a class never occurs, and "class_imbalance" when the most frequent class occurs more than
/// 20 times as often as the least frequent one that occurs. counts: of the training rows, by class.
std::vector<Anomaly> check_class_counts(std::span<const Index> counts);

}  // namespace handrail::train
