#pragma once

namespace handrail::train {

/// What predictions and targets mean: how they become classes, and what the accuracy is.
enum class Task {
  /// Logits [N, C] against class indices [N]. The predicted class is that of the largest logit, the first of several
  /// equal ones. The accuracy is the share of rows predicted correctly. A target that is not a whole number in [0, C)
  /// is a DataError.
  multiclass,
  /// Logits against targets in [0, 1] of the same shape: [N], [N, 1], or [N, L] for L labels a row. A logit above 0
  /// predicts class 1. A target above 0.5 is class 1, so a soft target of 0.3 is class 0. The accuracy is the share of
  /// the N * L elements predicted correctly, as in Keras' BinaryAccuracy; a row with half of its labels correct counts
  /// half. A target outside [0, 1] is a DataError.
  binary,
  /// Numbers against numbers of the same shape. There is no accuracy; R2, Mae and Rmse measure regressions.
  regression,
};
/// The task in words, for messages.
const char* to_string(Task task);

}  // namespace handrail::train
