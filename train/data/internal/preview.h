#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include <handrail/train/data/rows.h>

namespace handrail::train {

/// A copy of samples of a data set, which is read once for all checks before the first step. It keeps all samples when
/// they have at most 2^26 numbers (256 MB as float), else as many as fit, evenly spaced.
class Preview final : public Dataset {
 public:
  /// all_targets: every sample is read and its target kept; otherwise only the samples that are kept are read.
  /// progress: called after each batch with the number of samples read so far and in all. An exception that it throws
  /// ends the reading.
  Preview(const Dataset& source, bool all_targets, std::function<void(Index done, Index total)> progress);

  /// Those of the rows whose samples are kept, as rows of this preview, which must outlive them. rows: of the source,
  /// with numbers in ascending order.
  Rows kept(const Rows& rows) const;
  /// The targets of all samples; empty unless all_targets was set and a target is one number.
  std::span<const Scalar> targets() const { return targets_; }

  Index size() const override { return size_; }
  Shape input_shape() const override { return input_shape_; }
  Shape target_shape() const override { return target_shape_; }
  bool in_memory() const override { return true; }
  /// Writes samples that are kept. Throws Error on any other sample.
  void gather(std::span<const Index> rows, const Batch& batch) const override;
  void gather_normalized(std::span<const Index> rows, const Normalization& constants,
                         const Batch& batch) const override;

 private:
  Index size_;
  Shape input_shape_, target_shape_;
  std::vector<Index> kept_;               // in ascending order
  std::vector<Scalar> inputs_, outputs_;  // of the samples that are kept
  std::vector<Scalar> targets_;
};

}  // namespace handrail::train
