#pragma once

#include <functional>
#include <optional>
#include <span>

#include <handrail/train/data/rows.h>

namespace handrail::train {

/// Rows to check, with how training will see them and how messages name their data set.
struct DataPart {
  Rows rows;
  std::optional<Normalization> normalization = {};  // of raw data; absent for other data
  const char* name = "training";                    // of the data set, in messages: "the training set"
  // Called after each batch with the number of rows read so far and in all. An exception that it throws ends the
  // reading.
  std::function<void(Index done, Index total)> progress = {};
};

/// Evenly spaced rows of the part: at most `count`, and at most as many as have 2^28 input numbers together. These are
/// all rows when the part is not larger.
Rows sample_rows(const DataPart& part, std::optional<Index> count = {});

/// The samples of these numbers of the part's data set as one batch, as training will see them.
Batch gather(const DataPart& part, std::span<const Index> numbers);

/// Reads these rows of the part's data set in their order, in batches small enough for the cache, and calls
/// visit(numbers of the samples, batch) for each batch. Throws DataError when there are no rows.
void for_batches(const DataPart& part, const Rows& rows,
                 const std::function<void(std::span<const Index>, const Batch&)>& visit);

}  // namespace handrail::train
