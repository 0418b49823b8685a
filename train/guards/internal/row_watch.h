#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include <handrail/core/tensor.h>
#include <handrail/train/report/anomaly.h>

namespace handrail::train {

/// Looks at the rows that a training loop takes, and reports once each:
///   "repeated_rows"   as many samples as the training set has rows were taken, and they were less than 30 % of its
///   rows "unstable_data"   more than a quarter of the inputs that came again had another target than before
///   "sorted_rows"     the means of the targets differ between batches by more than 5 times the variance that random
///                     batches have, over 20 batches of at least 4 rows
/// A row is known by a hash of 16 of its inputs, evenly spaced. Of a batch 8 rows are looked up, in each step others.
/// Of more than 8192 rows, a sample by hash is followed. Of targets with several columns the first is looked at. Only
/// the constructor allocates memory.
class RowWatch {
 public:
  /// rows: of the training set; 0 when it is not known, and then repeated_rows is not reported.
  explicit RowWatch(Index rows);

  /// Adds the batch of a step. inputs: [N, ...]; targets: [N, ...]. Other shapes are ignored.
  std::optional<Anomaly> add(std::int64_t step, const Tensor& inputs, const Tensor& targets);

 private:
  struct Slot {
    std::uint64_t row = 0;  // 0: free
    std::uint64_t target = 0;
  };
  void meet(std::uint64_t row, std::uint64_t target);
  void add_targets(const Tensor& targets);
  std::optional<Anomaly> repeated(std::int64_t step);
  std::optional<Anomaly> unstable(std::int64_t step);
  std::optional<Anomaly> sorted(std::int64_t step);

  Index rows_;
  std::uint64_t sample_mask_ = 0;  // a row is followed when these bits of its hash are 0
  std::vector<Slot> slots_;
  std::size_t distinct_ = 0;
  std::uint64_t place_ = 1;             // decides which places of the batch are looked up
  std::int64_t taken_ = 0;              // samples that were looked up
  std::int64_t again_ = 0, other_ = 0;  // followed rows that came again, and with another target
  // Of the targets: over batches the sums of means and squared means, over samples those of values and squares.
  struct TargetSums {
    std::int64_t batches = 0, values = 0;
    double means = 0, squared_means = 0, sum = 0, squares = 0;
  };
  TargetSums targets_;
  bool repeated_ = false, unstable_ = false, sorted_ = false;  // whether it was reported
};

}  // namespace handrail::train
