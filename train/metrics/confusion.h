#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <handrail/core/tensor.h>

namespace handrail::train {

/// How often each class was taken for each: rows are the true classes, columns the predicted ones, as in
/// scikit-learn's confusion_matrix. Predictions become classes as Task says; binary has the classes 0 and 1.
class Confusion {
 public:
  /// The first batch says how many classes there are.
  Confusion() = default;
  explicit Confusion(Index classes) : classes_(classes), counts_(static_cast<std::size_t>(classes * classes)) {}

  /// Adds a batch: logits [N, C] and class indices [N], or logits and targets in [0, 1] of one label a row.
  /// Throws ShapeError for other shapes or another C than before, DataError naming the row of a target that is no
  /// class.
  void add(const Tensor& predictions, const Tensor& targets);

  /// Adds one sample. Throws OptionError out of range.
  void add(Index truth, Index predicted) { ++counts_[position(truth, predicted)]; }

  Index classes() const { return classes_; }
  /// How many samples of class `truth` were predicted to be of class `predicted`. Throws OptionError out of range.
  Index count(Index truth, Index predicted) const { return counts_[position(truth, predicted)]; }
  /// The share of the diagonal; NaN without samples.
  double accuracy() const;
  /// A table to print: a line for each true class, a column for each predicted one. With the names of the classes, as
  /// in trainer.model_info().class_names, when there is one for each.
  std::string text(const std::vector<std::string>& names = {}) const;

 private:
  std::size_t position(Index truth, Index predicted) const {
    if (truth < 0 || truth >= classes_ || predicted < 0 || predicted >= classes_) [[unlikely]]
      refuse(truth, predicted);
    return static_cast<std::size_t>(truth * classes_ + predicted);
  }
  [[noreturn]] void refuse(Index truth, Index predicted) const;

  Index classes_ = 0;
  std::vector<Index> counts_;  // row by row
};

}  // namespace handrail::train
