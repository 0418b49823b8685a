#pragma once

#include <optional>

#include <handrail/train/data/internal/data_part.h>
#include <handrail/train/report/events.h>

namespace handrail::train {

/// Throws DataError, naming data set, row and column, when an input or a target is NaN or infinite.
void check_finite(const DataPart& part);

/// Names "duplicate_rows" when at least 3 validation rows, and more than 1 % of them, have the inputs of a training
/// row. Compares at most 20,000 validation rows with the training rows, by a hash first and then element by element.
std::optional<Anomaly> check_duplicates(const DataPart& train, const DataPart& validation);

}  // namespace handrail::train
