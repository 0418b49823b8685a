#pragma once

#include <optional>
#include <string>
#include <vector>

#include <handrail/train/checks/internal/model/step_graph.h>
#include <handrail/train/report/anomaly.h>

// Pure functions that find layers that do not fit together, in the ops of one training step before the first update.

namespace handrail::train {

/// Reports "dropout_on_output" when dropout made the predictions, and "dropout_too_high" when a dropout sets more than
/// 75 % of at least 100 numbers that were not 0 to 0, or several dropouts together leave less than 5 % of the paths
/// from inputs to outputs, and one of them fewer than 10 units.
std::vector<Anomaly> check_dropout(const RecordedStep& step);

/// Reports "linear_after_linear" when a linear layer directly follows another, so that both compute one linear map.
/// Dropout and batch norm between them do not count: in evaluation they are linear. A layer that is narrower than what
/// it stands between may be meant to lower the rank, and one whose output something else reads too, as a residual
/// connection does, is of use: they are not reported.
std::vector<Anomaly> check_linear_after_linear(const RecordedStep& step);

/// Reports "activation_twice" when sigmoid, tanh or softplus is applied to the output of an activation; as a note when
/// relu or gelu is, which changes little.
std::optional<Anomaly> check_activation_twice(const RecordedStep& step);

/// Reports "bottleneck" when a hidden layer is less than half as wide as there are classes, or has one unit after a
/// wider layer, or 2 or 3 units with an activation after a layer that is more than twice as wide and for fewer outputs
/// than that; or when an op leaves a layer one number of at least 4 units. A layer whose output a softmax gets makes
/// weights of others, and is not reported.
/// So is a layer of two units whose output a layer norm reads; and, as a note, a fixed matrix that makes at most half
/// as many columns of the inputs.
std::optional<Anomaly> check_bottleneck(const RecordedStep& step);

/// Reports "norm_on_output" when a norm made the predictions, "small_batch_norm" when a batch norm gets fewer than 8
/// rows, and, as a note, "dropout_before_norm" when a batch norm directly follows dropout, which makes its statistics
/// of training and evaluation differ (Li et al. 2019).
std::vector<Anomaly> check_norms(const RecordedStep& step);

/// The linear layers with a bias that a batch norm right after them subtracts, as "0, 3": the bias costs a little time
/// and changes nothing. Empty when there are none.
std::string useless_biases(const RecordedStep& step);

/// Reports "too_deep" when there are at least 6 linear layers one after another without a norm or a residual connection
/// and the signal does not get through: relative to its size, the input of the last one differs between the samples by
/// less than 1 % of what the inputs of the model do.
std::optional<Anomaly> check_depth(const RecordedStep& step);

}  // namespace handrail::train
