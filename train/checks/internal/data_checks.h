#pragma once

#include <optional>

#include <handrail/train/data/internal/data_part.h>
#include <handrail/train/report/events.h>

namespace handrail::train {

/// Throws DataError when an input or a target is NaN or infinite. The error names the first one: its set, row and
/// column. Of a very large set only some rows are read: see sample_rows.
void check_finite(const DataPart& part);

/// Reports "duplicate_rows" when at least 3 validation rows, and more than 1 % of them, have the same inputs as a
/// training row. Compares at most 20,000 validation rows with the training rows: first by a hash, then number by
/// number. Returns nothing when the two sets have inputs of different shapes.
std::optional<Anomaly> check_duplicates(const DataPart& train, const DataPart& validation);

}  // namespace handrail::train
