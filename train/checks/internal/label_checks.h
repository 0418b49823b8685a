#pragma once

#include <optional>
#include <span>
#include <vector>

#include <handrail/train/data/internal/data_part.h>
#include <handrail/train/data/task.h>
#include <handrail/train/report/events.h>

namespace handrail::train {

/// How often each class occurs. Reads all rows but of the largest sets (see sample_rows).
/// multiclass: targets are whole numbers in [0, classes), from 0 on when their number is not known.
/// binary: they are in [0, 1] and count as the nearer class; none are counted when a sample has several.
/// regression: nothing to count. Throws DataError naming set and row of a target that is none of these.
std::vector<Index> count_labels(const DataPart& part, Task task, std::optional<Index> classes = {});

/// "missing_class": a class that never occurs. "class_imbalance": the most frequent one occurs more
/// than 20 times as often as the least frequent one. counts: of the training rows, by class.
std::vector<Anomaly> check_class_counts(std::span<const Index> counts);

}  // namespace handrail::train
