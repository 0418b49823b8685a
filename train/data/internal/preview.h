#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include <handrail/train/data/rows.h>

namespace handrail::train {

// Not installed.

/// A data set read once, for all that looks at it before the first step: up to 2^26 numbers (256 MB as float) of
/// samples are kept, all of them or as many as fit, evenly spaced.
class Preview final : public Dataset {
 public:
  /// `all_targets`: reads every sample, if only for its target; else no more than those it keeps. `progress` is told
  /// after each batch how many are read so far, and of how many; what it throws ends the reading.
  Preview(const Dataset& source, bool all_targets, std::function<void(Index done, Index total)> progress);

  /// Those of the rows whose samples are kept, as rows of this preview, which must outlive them. The numbers of `rows`
  /// ascend.
  Rows kept(const Rows& rows) const;
  /// The targets of all samples, when they are one number each and were asked for; else empty.
  std::span<const Scalar> targets() const { return targets_; }

  Index size() const override { return size_; }
  Shape input_shape() const override { return input_shape_; }
  Shape target_shape() const override { return target_shape_; }
  bool in_memory() const override { return true; }
  /// Of samples that are kept.
  void gather(std::span<const Index> rows, const Batch& batch) const override;
  void gather_normalized(std::span<const Index> rows, const Normalization& constants,
                         const Batch& batch) const override;

 private:
  Index size_;
  Shape input_shape_, target_shape_;
  std::vector<Index> kept_;  // in ascending order
  std::vector<Scalar> inputs_, outputs_;  // of the samples kept
  std::vector<Scalar> targets_;
};

}  // namespace handrail::train
