#pragma once

namespace handrail::train {

/// What predictions and targets are: how they become classes, and what the accuracy means.
enum class Task {
  /// Logits [N, C] against class indices [N]. The prediction is the largest logit, the first of several equal ones.
  /// The accuracy is the share of right rows. A target that is no whole number in [0, C) is a DataError.
  multiclass,
  /// Logits against targets in [0, 1] of the same shape: [N], [N, 1], or several labels a row, [N, L]. A logit above
  /// 0 predicts class 1, and a target above 0.5 is class 1: a soft target of 0.3 is class 0. The accuracy is the
  /// share of right elements, all N * L of them, as in Keras' BinaryAccuracy: half of the labels right is 0.5,
  /// though no row may be right as a whole. A target outside [0, 1] is a DataError.
  binary,
  /// Values. There is no accuracy; see R2, Mae and Rmse.
  regression,
};
const char* to_string(Task task);

}  // namespace handrail::train
