#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <handrail/core/tensor.h>

namespace handrail::train {

/// A confusion matrix: how many samples of each true class (row) were predicted to be of each class (column), as in
/// scikit-learn's confusion_matrix. Predictions become classes as Task says; binary has the classes 0 and 1.
class Confusion {
 public:
  /// An empty matrix. The first batch says how many classes there are.
  Confusion() = default;
  /// A matrix of so many classes without samples.
  explicit Confusion(Index classes) : classes_(classes), counts_(static_cast<std::size_t>(classes * classes)) {}

  /// Adds a batch: logits [N, C] and class indices [N], or logits and targets in [0, 1], both [N] or [N, 1].
  /// Throws ShapeError for other shapes or another C than before; DataError, naming the row, when a target is not a
  /// class.
  void add(const Tensor& predictions, const Tensor& targets);

  /// Adds one sample. Throws OptionError when a class is not in [0, classes()).
  void add(Index truth, Index predicted) { ++counts_[position(truth, predicted)]; }

  /// The number of classes; 0 when it is not known yet.
  Index classes() const { return classes_; }
  /// How many samples of class `truth` were predicted to be of class `predicted`. Throws OptionError when a class is
  /// not in [0, classes()).
  Index count(Index truth, Index predicted) const { return counts_[position(truth, predicted)]; }
  /// The share of samples on the diagonal; NaN without samples.
  double accuracy() const;
  /// A table to print, with a line for each true class and a column for each predicted class. `names`, such as
  /// trainer.model_info().class_names, name the classes when there is one for each; else their numbers do.
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
