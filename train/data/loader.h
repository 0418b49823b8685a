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
  Index batch_size = 32;                            // in samples
  std::optional<std::uint64_t> shuffle_seed = {};   // absent: every epoch is in the order of the rows
  bool drop_last = false;                           // a last batch that is short is left out
  std::optional<Normalization> normalization = {};  // present: batches come from Dataset::gather_normalized
};

/// Cuts rows of a data set into batches. The order of an epoch is a function of seed and epoch alone, so that a
/// checkpoint need not hold it. The last batch may be short. A last batch of a single row, which batch norm could not
/// train on, joins the batch before it, which then has batch_size + 1 rows.
class Loader {
 public:
  /// The data set of the rows must outlive the loader. Throws OptionError when batch_size < 1; DataError when there are
  /// no rows, when drop_last leaves no batch, and when the data set's gather does not write a whole batch: a batch of
  /// two rows is read twice to find out.
  Loader(Rows rows, LoaderOptions options);
  /// Loads all rows of the data set, which must outlive the loader. Throws as the constructor above does.
  Loader(const Dataset& dataset, LoaderOptions options);

  // Refused, with the reason where compilers quote it.
  template <std::derived_from<Dataset> TemporaryDataset>
  Loader(const TemporaryDataset&&, LoaderOptions) = delete;  // the loader refers to the data set: give it a name
  template <class WrongOption = void>
  Loader(const Dataset&, ...) = delete;  // no option has this name and type: `LoaderOptions o{...};` says which
  template <class WrongOption = void>
  Loader(const Rows&, ...) = delete;  // no option has this name and type: `LoaderOptions o{...};` says which

  /// The number of batches in an epoch.
  Index size() const { return batches_; }
  /// The number of samples in an epoch.
  Index samples() const;
  /// Shuffles the rows into the order of that epoch. Does nothing without a seed, or when they are in that order.
  void start_epoch(std::int64_t epoch);
  /// The numbers of the samples of the i-th batch of this epoch, valid until the next start_epoch. Throws Error when i
  /// is not in [0, size()).
  std::span<const Index> rows(Index i) const;
  /// The i-th batch of this epoch, in memory of the pool. Throws Error when i is not in [0, size()), and what the data
  /// set's gather throws.
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

/// Returns step(), which works on the i-th batch of the loader. A DataError that names a row of the batch is thrown on
/// as one that names the row of the data set, which messages call `data`.
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
