#pragma once

#include <string>
#include <utility>
#include <vector>

#include <handrail/core/tensor.h>

namespace handrail::train {

// Metrics of classes, for TrainerOptions::metrics. Predictions are logits, and Task says how they become classes:
// logits of the shape of the targets are binary, several of them to a row are several labels; other logits are
// [N, C] with class indices [N]. Figures are scikit-learn's, and a quotient 0 / 0 counts as 0. All throw ShapeError
// for other shapes, DataError naming the row of a target that is no class. Without samples the result is NaN.

/// How the figures of the classes become one.
enum class Average {
  binary_or_macro,  // that of class 1 when there are two classes and one label a row; else macro
  macro,            // the mean over the classes that occur, in targets or predictions, or over the labels
  micro,            // of the counts summed over classes or labels; for classes it equals the accuracy
  weighted,         // the mean over classes or labels, by how often they occur in the targets
};

/// How often each class, or each label, was right, predicted and there.
class ClassCounts {
 public:
  struct Count {
    Index right = 0, predicted = 0, truth = 0;
  };
  /// Adds a batch. `who` names the metric in errors.
  void add(const char* who, const Tensor& predictions, const Tensor& targets);
  /// The average of a figure of the counts.
  double average(Average average, double (*figure)(const Count&)) const;

 private:
  std::vector<Count> counts_;  // of the classes, or of the labels when there are several a row
  bool labels_ = false;
  Index classes_ = 0, columns_ = 0;
};

/// The harmonic mean of precision and recall, 2 TP / (2 TP + FP + FN). "f1", or "f1_macro" and so on.
struct F1 {
  Average average = Average::binary_or_macro;
  ClassCounts counts = {};

  std::string name() const;
  void add(const Tensor& predictions, const Tensor& targets) { counts.add("f1", predictions, targets); }
  double result() const;
};

/// The share of what was predicted to be of a class that is, TP / (TP + FP). "precision", or "precision_macro".
struct Precision {
  Average average = Average::binary_or_macro;
  ClassCounts counts = {};

  std::string name() const;
  void add(const Tensor& predictions, const Tensor& targets) { counts.add("precision", predictions, targets); }
  double result() const;
};

/// The share of what is of a class that was predicted to be, TP / (TP + FN). "recall", or "recall_macro" and so on.
struct Recall {
  Average average = Average::binary_or_macro;
  ClassCounts counts = {};

  std::string name() const;
  void add(const Tensor& predictions, const Tensor& targets) { counts.add("recall", predictions, targets); }
  double result() const;
};

/// The area under the ROC curve: the probability that a sample of class 1 has a larger logit than one of class 0,
/// where equal ones count half. Two classes only: one logit a row, or two, whose difference counts. NaN when only
/// one class occurs, or a logit is NaN. Keeps all logits. "auc".
struct Auc {
  std::vector<std::pair<double, bool>> scores = {};  // and whether it is class 1

  std::string name() const { return "auc"; }
  void add(const Tensor& predictions, const Tensor& targets);
  double result() const;
};

}  // namespace handrail::train
