#pragma once

#include <string>
#include <utility>
#include <vector>

#include <handrail/core/tensor.h>

namespace handrail::train {

// Metrics of classes, for TrainerOptions::metrics. Predictions are logits; Task says how they become classes. Logits of
// the shape of the targets, [N], [N, 1] or [N, L], are binary, with L labels to a row; other logits are [N, C] with
// class indices [N]. The results are those of scikit-learn, with 0 for a quotient 0 / 0, and NaN without samples. Every
// add() throws ShapeError for other shapes, and DataError, naming the row, when a target is not a class.

/// How the figures of the classes, or of the labels when a row has several, become one figure.
enum class Average {
  binary_or_macro,  // the figure of class 1 when there are two classes and one label to a row; else macro
  macro,            // the mean over the classes that occur in targets or predictions, or over all labels
  micro,            // the figure of the counts summed over classes or labels; of classes it equals the accuracy
  weighted,         // the mean over classes or labels, weighted by how often they occur in the targets
};

/// Counts how often each class, or each label when a row has several, was right, was predicted, and was true.
class ClassCounts {
 public:
  struct Count {
    Index right = 0, predicted = 0, truth = 0;
  };
  /// Adds a batch. Messages call the metric `who`. Throws as said above, and ShapeError when the numbers of classes and
  /// labels are not those of the batches before.
  void add(const char* who, const Tensor& predictions, const Tensor& targets);
  /// The average of a figure of the counts; NaN without samples.
  double average(Average average, double (*figure)(const Count&)) const;

 private:
  std::vector<Count> counts_;  // of the classes, or of the labels when there are several a row
  bool labels_ = false;
  Index classes_ = 0, columns_ = 0;
};

/// The harmonic mean of precision and recall, 2 TP / (2 TP + FP + FN). Its name is "f1", or with another average
/// "f1_macro", "f1_micro" or "f1_weighted".
struct F1 {
  Average average = Average::binary_or_macro;
  ClassCounts counts = {};

  std::string name() const;
  void add(const Tensor& predictions, const Tensor& targets) { counts.add("f1", predictions, targets); }
  double result() const;
};

/// The share of the samples predicted to be of a class that are of it, TP / (TP + FP). Its name is "precision", or with
/// another average "precision_macro", "precision_micro" or "precision_weighted".
struct Precision {
  Average average = Average::binary_or_macro;
  ClassCounts counts = {};

  std::string name() const;
  void add(const Tensor& predictions, const Tensor& targets) { counts.add("precision", predictions, targets); }
  double result() const;
};

/// The share of the samples of a class that were predicted to be of it, TP / (TP + FN). Its name is "recall", or with
/// another average "recall_macro", "recall_micro" or "recall_weighted".
struct Recall {
  Average average = Average::binary_or_macro;
  ClassCounts counts = {};

  std::string name() const;
  void add(const Tensor& predictions, const Tensor& targets) { counts.add("recall", predictions, targets); }
  double result() const;
};

/// The area under the ROC curve: the probability that a sample of class 1 has a higher score than a sample of class 0,
/// where equal scores count one half (Mann and Whitney 1947). There are two classes: the score is the one logit of a
/// row, [N] or [N, 1], or the difference of its two logits [N, 2]. The result is NaN when only one class occurs or a
/// score is NaN. The scores of all samples are kept in memory. Its name is "auc".
struct Auc {
  std::vector<std::pair<double, bool>> scores = {};  // the score of a sample, and whether it is of class 1

  std::string name() const { return "auc"; }
  void add(const Tensor& predictions, const Tensor& targets);
  double result() const;
};

}  // namespace handrail::train
