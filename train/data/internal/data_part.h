#pragma once

#include <functional>
#include <optional>
#include <span>

#include <handrail/train/data/rows.h>

namespace handrail::train {

/// What checks are told about rows: how training will see them, and what the messages call their data set.
struct DataPart {
  Rows rows;
  std::optional<Normalization> normalization = {};  // of raw data
  const char* name = "training";                    // of the set, in messages
  // Told after each batch how many of the rows are read; what it throws ends the reading.
  std::function<void(Index done, Index total)> progress = {};
};

/// At most `count` of the rows, evenly spaced, and so many that their inputs are at most 2^28 numbers:
/// all but the largest sets are read in full.
Rows sample_rows(const DataPart& part, std::optional<Index> count = {});

/// The samples of these numbers as one batch, as training will see them.
Batch gather(const DataPart& part, std::span<const Index> numbers);

/// Reads these rows of the part's data set in their order, in batches that stay in the cache: visit(numbers of the
/// samples, batch). Throws DataError on no rows.
void for_batches(const DataPart& part, const Rows& rows,
                 const std::function<void(std::span<const Index>, const Batch&)>& visit);

}  // namespace handrail::train
