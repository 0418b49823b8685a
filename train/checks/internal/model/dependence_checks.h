#pragma once

#include <functional>
#include <optional>

#include <handrail/train/data/dataset.h>
#include <handrail/train/report/anomaly.h>

// Pure functions that find what predictions and loss depend on, by changing the batch. They run a model several times
// on one batch, in evaluation mode.

namespace handrail::train {

/// Returns the predictions [N, ...] of the inputs [N, ...].
using Predict = std::function<Tensor(const Tensor& inputs)>;
/// Returns the loss of a batch.
using LossOf = std::function<double(const Batch& batch)>;

/// Reports "random_evaluation" when the predictions of the same inputs differ from call to call.
std::optional<Anomaly> check_repeatable(const Predict& predict, const Tensor& inputs);

/// Reports "rows_mixed" when the prediction for a sample differs by more than 1e-3 of the largest prediction when the
/// sample is in another batch: with its neighbour alone instead of with all others.
/// Returns nothing for fewer than 4 samples, and for predictions with another number of rows.
std::optional<Anomaly> check_rows_apart(const Predict& predict, const Tensor& inputs);

/// Reports "inputs_ignored" when more than half of the columns that differ between the samples can be exchanged between
/// all samples without a change of any prediction. The columns are those without a gradient, which backward leaves in
/// the parameters too. Predictions that are all 0 are the output of a last layer that begins with zeros, and are not
/// reported. Returns nothing for fewer than 8 samples.
std::optional<Anomaly> check_uses_inputs(const Predict& predict, const Tensor& inputs);

/// Reports "targets_ignored" when the loss is exactly the same after the targets of a batch were exchanged between its
/// samples, unless the predictions are all the same; or "rows_mixed" when it does change with the targets, but not with
/// which of them belongs to which sample.
std::optional<Anomaly> check_uses_targets(const LossOf& loss_of, const Predict& predict, const Batch& batch);

/// Reports one of three faults of a loss that should be a mean over the samples:
///   "sum_loss"       the loss of a batch is, to 1 %, the sum of the losses of its halves, and that of two copies of it
///                    twice its loss
///   "rows_ignored"   the loss of a batch is exactly that of its first half
///   "rows_mixed"     the loss of a batch differs by more than 5 % from the mean over its halves, and so does that of
///                    the batch in another order
/// The learning rate, the clipping and every check suppose a mean.
std::optional<Anomaly> check_is_mean(const LossOf& loss_of, const Batch& batch);

/// Reports "random_evaluation" when the validation loss of the same batch differs from call to call by more than 0.01
/// %, below 2 % as a note, or "validation_ignored" when it is exactly the same for each half of a batch and the
/// training loss is not. Both losses in evaluation mode.
std::optional<Anomaly> check_validation(const LossOf& validation_loss, const LossOf& training_loss, const Batch& batch);

/// Reports "train_eval_gap" when the predictions of the training step differ by more than 1 % of the largest from those
/// of evaluation, for the same inputs. For models without dropout and batch norm, which differ by design.
std::optional<Anomaly> check_same_predictions(const Tensor& training, const Tensor& evaluation);

}  // namespace handrail::train
