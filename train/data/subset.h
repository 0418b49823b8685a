#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include <handrail/train/data/rows.h>

namespace handrail::train {

/// A data set of samples of another data set, which it shares: its sample i is sample rows[i] of the other one. A
/// Subset of a Subset reads the data set below both.
class Subset : public Dataset {
 public:
  /// Throws DataError when there are no rows, or when a row is not in [0, dataset->size()).
  Subset(std::shared_ptr<const Dataset> dataset, std::vector<Index> rows);

  Index size() const override { return rows_.size(); }
  Shape input_shape() const override { return dataset_->input_shape(); }
  Shape target_shape() const override { return dataset_->target_shape(); }
  bool in_memory() const override { return dataset_->in_memory(); }
  void gather(std::span<const Index> rows, const Batch& batch) const override;
  std::optional<Normalization> fit_normalization(std::span<const Index> rows) const override;
  void gather_normalized(std::span<const Index> rows, const Normalization& constants,
                         const Batch& batch) const override;

 private:
  std::shared_ptr<const Dataset> dataset_;
  Rows rows_;
};

}  // namespace handrail::train
