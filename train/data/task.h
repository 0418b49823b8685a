#pragma once

namespace handrail::train {

/// What predictions and targets mean: how they become classes, and what the accuracy is.
enum class Task {
  /// Logits [N, C] against class indices [N]. The prediction is the largest logit, the first of several equal ones.
  /// The accuracy is the share of rows that are right. A target that is not a whole number in [0, C) is a DataError.
  multiclass,
  /// Logits against targets in [0, 1] of the same shape: [N], [N, 1], or [N, L] for L labels to a row. A logit above 0
  /// predicts class 1. A target above 0.5 is class 1, so that a soft target of 0.3 is class 0. The accuracy is the
  /// share
  /// of the N * L elements that are right, as in Keras' BinaryAccuracy, not the share of rows. A target outside [0, 1]
  /// is a DataError.
  binary,
  /// Values. There is no accuracy; the metrics R2, Mae, Mse and Rmse measure them.
  regression,
};
/// The name of the task as it is written above.
const char* to_string(Task task);

}  // namespace handrail::train
