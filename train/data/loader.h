#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <handrail/core/error.h>
#include <handrail/train/data/rows.h>

namespace handrail::train {

struct LoaderOptions {
  Index batch_size = 32;
  std::optional<std::uint64_t> shuffle_seed = {};  // without: in the order of the rows
  bool drop_last = false;                          // leave out a batch that is short
  std::optional<Normalization> normalization = {};
};

/// Cuts rows of a data set into batches. The order of an epoch is a function of (seed, epoch) alone:
/// there is nothing to save. The last batch may be short; one of a single row, which batch norm could
/// not train on, joins the batch before it.
class Loader {
 public:
  /// The data set of the rows must outlive the loader. Throws DataError on no rows, on a single short batch that
  /// drop_last would leave out, or when gather leaves a part of a batch as it was; OptionError when
  /// batch_size < 1.
  Loader(Rows rows, LoaderOptions options);
  /// A loader of all rows of the data set, which must outlive it. Throws as the constructor above.
  Loader(const Dataset& dataset, LoaderOptions options);

  // Refused, with the reason where compilers quote it.
  template <std::derived_from<Dataset> TemporaryDataset>
  Loader(const TemporaryDataset&&, LoaderOptions) = delete;  // the loader refers to the data set: give it a name
  template <class WrongOption = void>
  Loader(const Dataset&, ...) = delete;  // no option has this name and type: `LoaderOptions o{...};` says which
  template <class WrongOption = void>
  Loader(const Rows&, ...) = delete;  // no option has this name and type: `LoaderOptions o{...};` says which

  /// Batches to an epoch.
  Index size() const { return batches_; }
  /// Samples to an epoch.
  Index samples() const;
  /// Puts the rows into the order of that epoch; at no cost when they are in it.
  void start_epoch(std::int64_t epoch);
  /// The rows of the i-th batch of this epoch.
  std::span<const Index> rows(Index i) const;
  /// The i-th batch of this epoch. Its memory comes from the pool.
  Batch batch(Index i) const;

 private:
  void gather(std::span<const Index> rows, const Batch& batch) const;
  void check_gather() const;

  Rows rows_;                 // as given
  std::vector<Index> order_;  // their numbers in the order of this epoch
  std::optional<std::int64_t> epoch_ = {};
  LoaderOptions options_;
  Index batches_;
};

/// Calls step(), whose complaint about a row of the i-th batch becomes one about a row of the `data` set.
template <class Step>
auto named_rows(const char* data, const Loader& loader, Index i, Step&& step) {
  try {
    return step();
  } catch (const DataError& error) {
    const auto rows = loader.rows(i);
    if (error.row < 0 || error.row >= std::ssize(rows)) throw;
    const Index row = rows[static_cast<std::size_t>(error.row)];
    throw DataError(concat("row ", row, " of the ", data, " set: ", error.what(), " of the batch"), row);
  }
}

}  // namespace handrail::train
