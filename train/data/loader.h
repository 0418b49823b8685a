#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <handrail/core/error.h>
#include <handrail/train/data/rows.h>

namespace handrail::train {

/// How a Loader cuts rows into batches.
struct LoaderOptions {
  Index batch_size = 32;                            // at least 1
  std::optional<std::uint64_t> shuffle_seed = {};   // absent: batches follow the order of the rows
  bool drop_last = false;                           // true: the last batch is left out when it is short
  std::optional<Normalization> normalization = {};  // of raw data; absent: batches are as gather writes them
};

/// Cuts rows of a data set into batches. The order of the rows in an epoch is a function of seed and epoch alone, so a
/// loader has no state to save. The last batch may be short. When it would have a single row, which batch norm cannot
/// train on, that row joins the batch before it, unless batch_size is 1.
class Loader {
 public:
  /// The data set of the rows must outlive the loader. Throws DataError when there are no rows, when drop_last leaves
  /// no batch, and when gather of the data set leaves elements of a batch unwritten, for which it reads two rows twice.
  /// Throws OptionError when batch_size < 1.
  Loader(Rows rows, LoaderOptions options);
  /// A loader of all samples of the data set, which must outlive it. Throws as the constructor from Rows does.
  Loader(const Dataset& dataset, LoaderOptions options);

  // Deleted, with the reason in the comment, which compilers quote in the error.
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
  /// Puts the rows into the order of this epoch. Does nothing without shuffle_seed, or when it is the current epoch.
  void start_epoch(std::int64_t epoch);
  /// The numbers of the samples of batch i of the current epoch, valid until the next start_epoch. Throws Error unless
  /// 0 <= i < size().
  std::span<const Index> rows(Index i) const;
  /// Batch i of the current epoch, in memory of the pool. Throws Error unless 0 <= i < size(), and what gather throws.
  Batch batch(Index i) const;

 private:
  void gather(std::span<const Index> rows, const Batch& batch) const;
  void check_gather() const;

  Rows rows_;                 // in their original order
  std::vector<Index> order_;  // their numbers in the order of the current epoch
  std::optional<std::int64_t> epoch_ = {};
  LoaderOptions options_;
  Index batches_;
};

/// Calls step() and returns its result. A DataError that names a row of batch i is thrown on with the number of that
/// row in the data set. data: what messages call the data set, such as "training".
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
