#pragma once

#include <string>
#include <utility>
#include <vector>

#include <handrail/core/tensor.h>

namespace handrail::train {

/// How the figures of single classes, or of the labels of a row, become one figure. The figures are scikit-learn's.
enum class Average {
  binary_or_macro,  // the figure of class 1 for two classes and one label a row; macro otherwise
  macro,            // the mean over the classes that occur in targets or predictions, or over all labels
  micro,            // the figure of the counts summed over classes or labels; for classes it equals the accuracy
  weighted,         // the mean over classes or labels, weighted by how often each occurs in the targets
};

/// Counts for each class, or for each label of a row: how often it was predicted correctly, predicted, and in the
/// targets. F1, Precision and Recall are computed from them.
class ClassCounts {
 public:
  /// How often one class, or one label of a row, was predicted and true.
  struct Count {
    Index right = 0;      // in the target and predicted
    Index predicted = 0;  // predicted
    Index truth = 0;      // in the target
  };
  /// Adds a batch of logits and targets, which become classes as Task says. Logits of the shape of the targets are
  /// Task::binary: [N] or [N, 1], or [N, L] for L labels a row. Other logits are Task::multiclass: [N, C] with class
  /// indices [N]. who: the name of the metric in errors.
  /// Throws ShapeError for other shapes and for a batch with other classes than before, DataError naming the row of a
  /// target that is not a class.
  void add(const char* who, const Tensor& predictions, const Tensor& targets);
  /// The average of `figure`, a function of the counts of one class or label. NaN without samples.
  double average(Average average, double (*figure)(const Count&)) const;

 private:
  std::vector<Count> counts_;  // one a class, or one a label when a row has several
  bool labels_ = false;        // whether a row has several labels
  Index classes_ = 0, columns_ = 0;
};

/// The harmonic mean of precision and recall, 2 TP / (2 TP + FP + FN), and 0 for 0 / 0. NaN without samples. Batches
/// are added, and refused, as ClassCounts::add says. Named "f1", or "f1_macro", "f1_micro", "f1_weighted" when
/// `average` is set.
struct F1 {
  Average average = Average::binary_or_macro;  // how classes or labels become one figure
  ClassCounts counts = {};                     // of all batches added

  /// The functions of a metric: see MetricState. The result is from 0 to 1.
  std::string name() const;
  void add(const Tensor& predictions, const Tensor& targets) { counts.add("f1", predictions, targets); }
  double result() const;
};

/// The share of the predictions of a class that are correct, TP / (TP + FP), and 0 for 0 / 0. NaN without samples.
/// Batches are added, and refused, as ClassCounts::add says. Named "precision", or "precision_macro",
/// "precision_micro", "precision_weighted" when `average` is set.
struct Precision {
  Average average = Average::binary_or_macro;  // how classes or labels become one figure
  ClassCounts counts = {};                     // of all batches added

  /// The functions of a metric: see MetricState. The result is from 0 to 1.
  std::string name() const;
  void add(const Tensor& predictions, const Tensor& targets) { counts.add("precision", predictions, targets); }
  double result() const;
};

/// The share of the samples of a class that are predicted to be of it, TP / (TP + FN), and 0 for 0 / 0. NaN without
/// samples. Batches are added, and refused, as ClassCounts::add says. Named "recall", or "recall_macro",
/// "recall_micro", "recall_weighted" when `average` is set.
struct Recall {
  Average average = Average::binary_or_macro;  // how classes or labels become one figure
  ClassCounts counts = {};                     // of all batches added

  /// The functions of a metric: see MetricState. The result is from 0 to 1.
  std::string name() const;
  void add(const Tensor& predictions, const Tensor& targets) { counts.add("recall", predictions, targets); }
  double result() const;
};

/// The area under the ROC curve: the probability that a sample of class 1 has a larger logit than a sample of class 0,
/// where equal logits count half (Mann and Whitney 1947). There must be two classes: predictions and targets are [N] or
/// [N, 1], or predictions are [N, 2], whose difference is the score, with class indices [N]. NaN when only one class
/// occurs or a logit is NaN. Keeps one score a sample in memory. Named "auc".
/// add() throws ShapeError for other shapes, DataError naming the row of a target that is not a class.
struct Auc {
  std::vector<std::pair<double, bool>> scores = {};  // the score, and whether the sample is of class 1

  /// The functions of a metric: see MetricState. The result is from 0 to 1, and about 0.5 for guesses.
  std::string name() const { return "auc"; }
  void add(const Tensor& predictions, const Tensor& targets);
  double result() const;
};

}  // namespace handrail::train
