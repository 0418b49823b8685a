#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <handrail/core/tensor.h>

namespace handrail::train {

/// A confusion matrix: how many samples of each class were predicted to be of each class. Rows are the true classes and
/// columns the predicted ones, as in scikit-learn's confusion_matrix. Logits become classes as Task says; Task::binary
/// has the classes 0 and 1.
class Confusion {
 public:
  /// A matrix without classes; the first batch added says how many there are.
  Confusion() = default;
  /// A matrix of zeros for this many classes.
  explicit Confusion(Index classes) : classes_(classes), counts_(static_cast<std::size_t>(classes * classes)) {}

  /// Adds a batch: logits [N, C] and class indices [N], or logits and targets in [0, 1] of the same shape, [N] or [N,
  /// 1]. Throws ShapeError for other shapes and another number of classes than before, DataError naming the row of a
  /// target that is not a class.
  void add(const Tensor& predictions, const Tensor& targets);

  /// Adds one sample. Throws OptionError unless both classes are in [0, classes()).
  void add(Index truth, Index predicted) { ++counts_[position(truth, predicted)]; }

  /// The number of classes; 0 before the first batch of a matrix without classes.
  Index classes() const { return classes_; }
  /// How many samples of class `truth` were predicted to be of class `predicted`. Throws OptionError unless
  /// both are in [0, classes()).
  Index count(Index truth, Index predicted) const { return counts_[position(truth, predicted)]; }
  /// The share of samples on the diagonal, which were predicted correctly; NaN without samples.
  double accuracy() const;
  /// The matrix as text: a line for each true class and a column for each predicted one. Classes are called by `names`,
  /// for example trainer.model_info().class_names, when there is one for each class, else by their numbers.
  std::string text(const std::vector<std::string>& names = {}) const;

 private:
  std::size_t position(Index truth, Index predicted) const {
    if (truth < 0 || truth >= classes_ || predicted < 0 || predicted >= classes_) [[unlikely]]
      refuse(truth, predicted);
    return static_cast<std::size_t>(truth * classes_ + predicted);
  }
  [[noreturn]] void refuse(Index truth, Index predicted) const;

  Index classes_ = 0;
  std::vector<Index> counts_;  // [classes, classes], row-major
};

}  // namespace handrail::train
