#pragma once

#include <functional>
#include <optional>

#include <handrail/train/checks/internal/model/step_graph.h>
#include <handrail/train/report/anomaly.h>

// Pure functions that try whether a loss rewards right answers, and whether a model can give them. They look at
// gradients and values, not at what ops are called, so that they judge a loss that a program has written itself.

namespace handrail::train {

/// Looks at where the loss pulls the predictions of a classifier, one row at a time, for the rows that are predicted
/// wrong. Reports one of these:
///   "rows_ignored"    no row of a class has a gradient, of at least 2, and rows of other classes have one
///   "loss_sign"       more than 90 % of at least 16 rows are pulled away from their targets
///   "loss_mismatch"   all rows of a class are pulled away from their targets, of at least 8, and others are not
/// gradient: of the loss with respect to the predictions. A regression whose targets are all 0 or 1 counts as binary.
std::optional<Anomaly> check_pull(const Tensor& predictions, const Tensor& gradient, const Tensor& targets, Task task);

/// Predictions that are all wrong, by 1: for a class -1 and for the others 0, of a binary target 0 or 1 the opposite.
/// shape: of the predictions. Undefined for a regression on other targets, and when the targets do not fit.
Tensor wrong_predictions(const Shape& shape, const Tensor& targets, Task task);

/// Returns the gradient of a loss with respect to the predictions.
using GradientOf = std::function<Tensor(const Tensor& predictions, const Tensor& targets)>;

/// Reports "rows_ignored" when the rows of a class, predicted wrong, have together less than a thirtieth of the
/// gradient of those of another class, although they are at least 8 and not five times rarer. gradient: of the
/// predictions.
std::optional<Anomaly> check_weighs_classes(const Tensor& predictions, const Tensor& gradient, const Tensor& targets,
                                            Task task);

/// Reports "loss_mismatch" when a loss of targets of both signs weighs rows by how near their targets are to 0, as a
/// relative error does. With predictions that all miss their targets by the standard deviation of the targets, all of
/// these must hold:
///   gradients   at least 100 times as large in some row as in the median row
///   target      of that row: less than 5 % of the standard deviation
/// Returns nothing for fewer than 32 elements, and for a loss that has a gradient where the predictions are right.
std::optional<Anomaly> check_weighs_rows_alike(const GradientOf& gradient_of, const Tensor& targets);

/// Reports "loss_mismatch" when a loss of a regression, whose gradient is 0 for predictions that are the targets, has
/// next to none either for 1.2 and 3 times the targets and an offset; as a note, when an error of one sign has 5 times
/// the gradient of one of the other sign, as for a quantile, which may be meant.
std::optional<Anomaly> check_wants_targets(const GradientOf& gradient_of, const Tensor& targets);

/// Returns the value of a loss for these predictions; NaN when it cannot take them.
using LossOfPredictions = std::function<double(const Tensor& predictions)>;

/// Reports "loss_mismatch" when a loss falls without bound: predictions that are all 1,000, or all -1,000, have a loss
/// below 0, and ten times as large ones have one 5 to 20 times as low. predictions: their shape.
std::optional<Anomaly> check_bounded(const LossOfPredictions& loss, const Shape& predictions);

/// Reports "output_range" when at least 5 % of the targets of a regression are outside of what the outputs can reach,
/// by more than 1 % of their spread. The reach is found by trial: the bias of the output layer is moved up and down, as
/// far as 100 and then 1000 times the spread. Where that moves no output farther, there is a bound.
/// bias: of the output layer; it is unchanged afterwards. predict: returns the predictions of the first batch.
std::optional<Anomaly> check_reach_of_outputs(const RecordedStep& step, const Tensor& bias,
                                              const std::function<Tensor()>& predict);

/// The bias of the output layer; undefined when it has none, or when a norm follows it, which would undo a change.
Tensor output_bias(const RecordedStep& step);

/// Reports "train_eval_gap" when the first layer gets inputs of another scale in training than in evaluation, for the
/// same batch. Noise, dropout and mixed rows keep the expectation or the size of inputs. Both must be outside of 2/3 to
/// 3/2: the ratio of the root mean squares, and the slope of the inputs in training over those in evaluation.
std::optional<Anomaly> check_same_scale(const Tensor& training, const Tensor& evaluation);

}  // namespace handrail::train
