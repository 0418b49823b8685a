#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include <handrail/train/data/rows.h>

namespace handrail::train {

// Not installed.

/// What is kept of a data set that is read once, for all that looks at it before the first step: its samples, or
/// evenly spaced ones when all together have more than 2^26 numbers (256 MB as float).
class Preview final : public Dataset {
 public:
  /// Reads every sample with `all_targets`, and without only those that it keeps. Calls progress after each batch with
  /// the numbers of samples that are read and to be read. What progress throws ends the reading.
  Preview(const Dataset& source, bool all_targets, std::function<void(Index done, Index total)> progress);

  /// Those of the rows whose samples are kept, as rows of this preview, which must outlive them. The numbers of `rows`
  /// must be in ascending order.
  Rows kept(const Rows& rows) const;
  /// The targets of all samples, when they were asked for and are one number each; else empty.
  std::span<const Scalar> targets() const { return targets_; }

  Index size() const override { return size_; }
  Shape input_shape() const override { return input_shape_; }
  Shape target_shape() const override { return target_shape_; }
  bool in_memory() const override { return true; }
  /// Copies samples that are kept. Throws Error, naming it, when one is not.
  void gather(std::span<const Index> rows, const Batch& batch) const override;
  void gather_normalized(std::span<const Index> rows, const Normalization& constants,
                         const Batch& batch) const override;

 private:
  Index size_;
  Shape input_shape_, target_shape_;
  std::vector<Index> kept_;               // in ascending order
  std::vector<Scalar> inputs_, outputs_;  // of the samples kept
  std::vector<Scalar> targets_;
};

}  // namespace handrail::train
