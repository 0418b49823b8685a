#pragma once

#include <optional>

#include <handrail/train/checks/internal/model/step_graph.h>
#include <handrail/train/report/anomaly.h>

// Pure functions that find a loss that does not fit the model, the targets or the batch, in the ops of one training
// step before the first update. They know what each op is for, not what a program calls it: a softmax that is written
// with exp is found by its values.

namespace handrail::train {

/// Reports "activation_before_loss" when a loss that takes logits gets probabilities or activations:
///   cross_entropy                      its input was made by softmax, sigmoid, relu, tanh, gelu, softplus or clamp, or
///                                      not by linear, and has rows of numbers in [0, 1] with the sum 1
///   binary_cross_entropy_with_logits   the same activations, or numbers in [0, 1] that linear did not make
/// log_softmax before cross_entropy changes nothing and is not reported.
std::optional<Anomaly> check_loss_input(const RecordedStep& step);

/// Reports "non_finite" when the logarithm of softmax or sigmoid gets a probability below 1e-10 in the first batch:
/// float rounds it to 0 when logits move a little farther apart.
std::optional<Anomaly> check_logarithm(const RecordedStep& step);

/// Reports "output_range" when the last op of a regression is an activation that cannot reach the targets of the batch:
/// relu or softplus and a negative target, sigmoid or softmax and one outside [0, 1], tanh and one outside [-1, 1].
std::optional<Anomaly> check_output_range(const RecordedStep& step);

/// Reports "broadcast_loss" when an op with two inputs stretches [N] and [N, 1] to [N, N], N being the samples of the
/// batch and more than 1.
std::optional<Anomaly> check_broadcast(const RecordedStep& step);

/// Reports "loss_sign" when the loss is negative and a loss that cannot be negative was made on the way to it.
std::optional<Anomaly> check_loss_sign(const RecordedStep& step);

/// Reports "sum_loss" when the loss is that loss op, a mean, times the samples of the batch, of which there are at
/// least
/// 4. A loop whose loss cannot be computed again is told of it so.
std::optional<Anomaly> check_summed_loss(const RecordedStep& step);

/// Reports "loss_scale" when the loss is less than 1 % or more than 100 times the loss op that it was made from by
/// multiplication with a number, and is not that op's mean times the samples of the batch, which is "sum_loss".
std::optional<Anomaly> check_loss_scale(const RecordedStep& step);

/// Reports "regularisation_dominates" when the loss is a sum and the parts that do not depend on the batch are more
/// than twice as large as those that do: weights of half the size, that predict nothing, have a lower loss than these
/// could have if they predicted all.
std::optional<Anomaly> check_regularisation(const RecordedStep& step);

}  // namespace handrail::train
