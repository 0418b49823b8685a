#pragma once

#include <functional>
#include <optional>
#include <span>
#include <vector>

#include <handrail/train/data/dataset.h>

namespace handrail::train {

/// Rows of a data set as training will see them, for checks. Data set and rows must outlive it.
struct DataPart {
  const Dataset& dataset;
  std::span<const Index> rows;
  std::optional<Normalization> normalization = {};  // of raw data
  const char* name = "training";                    // of the set, in messages
  // Told after each batch how many of the rows are read; what it throws ends the reading.
  std::function<void(Index done, Index total)> progress = {};
};

/// At most `count` of the rows, evenly spaced, and so many that their inputs are at most 2^28 numbers:
/// all but the largest sets are read in full.
std::vector<Index> sample_rows(const DataPart& part, std::optional<Index> count = {});

/// Those rows as one batch.
Batch gather(const DataPart& part, std::span<const Index> rows);

/// Reads rows of the data set in order, in batches that stay in the cache: visit(rows of the batch, batch). Throws
/// DataError on no rows.
void for_batches(const DataPart& part, std::vector<Index> rows,
                 const std::function<void(std::span<const Index>, const Batch&)>& visit);

}  // namespace handrail::train
