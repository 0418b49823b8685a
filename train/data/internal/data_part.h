#pragma once

#include <functional>
#include <optional>
#include <span>

#include <handrail/train/data/rows.h>

namespace handrail::train {

/// What checks are told about rows: how training will see them, and what the messages call their data set.
struct DataPart {
  Rows rows;
  std::optional<Normalization> normalization = {};  // present for raw data: training sees it normalised
  const char* name = "training";                    // what messages call the data set
  // Is called after each batch with the numbers of rows that are read and to be read. What it throws ends the reading.
  std::function<void(Index done, Index total)> progress = {};
};

/// At most `count` of the rows, evenly spaced, and no more than have inputs of 2^28 numbers together: only of very
/// large data sets are rows left out.
Rows sample_rows(const DataPart& part, std::optional<Index> count = {});

/// The samples of these numbers as one batch, as training will see them.
Batch gather(const DataPart& part, std::span<const Index> numbers);

/// Reads these rows of the part's data set in their order, in batches that stay in the cache, and calls
/// visit(numbers of the samples, batch) for each batch. Throws DataError when there are no rows.
void for_batches(const DataPart& part, const Rows& rows,
                 const std::function<void(std::span<const Index>, const Batch&)>& visit);

}  // namespace handrail::train
