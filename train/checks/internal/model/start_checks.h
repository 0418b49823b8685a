#pragma once

#include <optional>
#include <span>
#include <vector>

#include <handrail/train/checks/internal/model/step_graph.h>
#include <handrail/train/report/anomaly.h>

// Pure functions that find initial weights that cannot train, in the values of the first training step.

namespace handrail::train {

/// Reports "equal_units" when a weight of a hidden layer has columns that are all equal, zeros included: its units then
/// compute the same and get the same gradient, for ever. The last layer may begin so, and so may the last layer of a
/// residual branch (begins_branch_at_zero). parameters: those of the model.
std::vector<Anomaly> check_equal_units(const RecordedStep& step, std::span<const Parameter> parameters);

/// Reports "equal_units" when half of the units of a hidden layer or fewer are different, by their weights and by the
/// gradients of these: copies with the same gradient stay copies. Call it after backward. parameters: of the model.
std::optional<Anomaly> check_copied_units(const RecordedStep& step, std::span<const Parameter> parameters);

/// Reports "saturated_units" when more than half of the outputs of a tanh are beyond 0.99, or those of a sigmoid that
/// did not make the predictions beyond 0.01 and 0.99, where the gradient is near 0; or when more than 90 % of those of
/// a clamp between layers are its lowest or its highest one.
std::optional<Anomaly> check_saturation(const RecordedStep& step);

/// Reports "dead_at_start" when more than 80 % of the units of a relu are 0 for every sample of a batch of at least 16.
std::optional<Anomaly> check_dead_at_start(const RecordedStep& step);

/// Reports the first op through which the signal does not pass as it should, from the first layer with parameters to
/// the predictions:
///   "exploding_activations"   its outputs have a root mean square above 30, and above 30 times that of the inputs of
///                             the first layer; behind the output layer of a regression, above 30 times that of the
///                             targets, too, whose units a scale gives the predictions
///   "initial_loss"            so have those of the last layer, and they hardly differ between the samples: its bias
///   "vanishing_activations"   the outputs of a hidden linear layer differ between samples by less than 1 % of what its
///                             inputs do. Models that read inputs of another size than about 1 are left to
///                             "input_scale"; the last layer may begin with zeros, and so may that of a residual
///                             branch. So do those of a softmax between layers, by less than 10 %.
///   "inputs_ignored"          it is a softmax over one element
std::optional<Anomaly> check_size_of_outputs(const RecordedStep& step);

/// Reports "initial_loss" when the predictions of a regression, whose targets are about 0, begin at a root mean square
/// of three times the spread of the targets and of three times their own.
std::optional<Anomaly> check_offset_of_predictions(const RecordedStep& step);

/// Reports "output_range" when an output of a classifier is at least 100 below the highest one, and about as far in
/// every row of the first batch, while rows have its class: a mask was left on.
std::optional<Anomaly> check_masked_class(const RecordedStep& step);

/// Reports "vanishing_activations" when something between the output layer and the predictions makes them small: an op
/// that is no activation and no norm gives outputs that differ by less than 5 % of what its inputs do. Of a regression,
/// only when the targets differ by more than 20 times as much as the predictions; and where the targets differ by less
/// than 1, by less than 5 % of that, as a scale gives outputs the units of the targets.
std::optional<Anomaly> check_scale_of_predictions(const RecordedStep& step);

/// Reports "zero_gradient" when the gradient of a weight is exactly 0 although all weights of the last layer are not,
/// and no residual branch begins at zero.
/// Call it after backward. parameters: those of the model.
std::optional<Anomaly> check_zero_gradient(const RecordedStep& step, std::span<const Parameter> parameters);

}  // namespace handrail::train
