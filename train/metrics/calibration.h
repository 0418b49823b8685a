#pragma once

#include <array>

#include <handrail/core/tensor.h>
#include <handrail/train/data/task.h>

namespace handrail::train {

/// The expected calibration error: how far probabilities are from the shares of predictions that turn out right. The
/// predictions are put into 15 bins of equal width by their confidence, the probability of the class that is predicted;
/// the error is the mean over all predictions of |share of the bin that is right - its mean confidence|. Guo, Pleiss,
/// Sun, Weinberger (2017, On calibration of modern neural networks, equation 3).
class CalibrationError {
 public:
  static constexpr Index bin_count = 15;  // as in that paper

  /// Adds a batch of logits and targets, which become probabilities and classes as Task says; not for a regression. Of
  /// several labels a row each is a prediction. Throws ShapeError when the shapes do not fit the task, DataError naming
  /// the row of a target that is no class.
  void add(Task task, const Tensor& predictions, const Tensor& targets);
  /// Adds one prediction. confidence: in [0, 1]; one that is NaN is not counted.
  void add(double confidence, bool is_right);
  /// The error, from 0 to 1; NaN without predictions.
  double value() const;

 private:
  struct Bin {
    Index count = 0, right = 0;
    double confidence = 0;  // the sum over its predictions
  };
  std::array<Bin, bin_count> bins_ = {};
};

/// A temperature, and what dividing the logits by it is worth.
struct Temperature {
  double value = 1;  // above 1 for a model whose probabilities are too sure
  /// Twice the fall of what was minimised. When the temperature is 1 in truth, it is above 3.84 in about one case of
  /// twenty (Wilks 1938).
  double likelihood_ratio = 0;
};

/// Finds the temperature T for which softmax(logits / T), or sigmoid(logits / T), fits the targets best: Guo et al.
/// (2017, section 4.2). It minimises the cross entropy, summed over the labels, minus half the logarithm of its second
/// derivative by 1 / T, as Firth (1993, Bias reduction of maximum likelihood estimates) does. Without that, T would be
/// 0 where every row is predicted correctly, and too low on average where few are not. T is within 0.01 and 100, and 1
/// when nothing is better. logits, targets: as CalibrationError::add takes them.
Temperature fit_temperature(Task task, const Tensor& logits, const Tensor& targets);

}  // namespace handrail::train
