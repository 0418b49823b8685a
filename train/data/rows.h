#pragma once

#include <concepts>
#include <memory>
#include <span>
#include <vector>

#include <handrail/train/data/dataset.h>

namespace handrail::train {

/// Samples of a data set in some order; a sample may occur more than once. Rows refer to the data set, which must
/// outlive them. A copy is cheap, because copies share their numbers.
class Rows {
 public:
  /// All samples of the data set, in its order.
  explicit Rows(const Dataset& dataset);
  /// The samples of these numbers. Throws DataError when a number is not in [0, dataset.size()).
  Rows(const Dataset& dataset, std::vector<Index> numbers);

  // Deleted, with the reason in the comment, which compilers quote in the error.
  template <std::derived_from<Dataset> TemporaryDataset>
  explicit Rows(const TemporaryDataset&&) = delete;  // rows refer to the data set: give it a name
  template <std::derived_from<Dataset> TemporaryDataset>
  Rows(const TemporaryDataset&&, std::vector<Index>) = delete;  // rows refer to the data set: give it a name

  /// The data set that the rows belong to.
  const Dataset& dataset() const { return *dataset_; }
  /// The number of rows, and whether it is 0.
  Index size() const { return std::ssize(*numbers_); }
  bool empty() const { return numbers_->empty(); }
  /// The numbers of the samples in the data set.
  std::span<const Index> numbers() const& { return *numbers_; }
  std::span<const Index> numbers() const&& = delete;  // they belong to the rows: give the rows a name

  /// The rows at these positions, as rows of the same data set. Throws DataError when a position is not in [0, size()).
  Rows pick(std::span<const Index> positions) const;
  /// The first rows, at most `count`, as rows of the same data set.
  Rows first(Index count) const;

 private:
  const Dataset* dataset_;
  std::shared_ptr<const std::vector<Index>> numbers_;
};

}  // namespace handrail::train
