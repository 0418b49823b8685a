#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <handrail/core/tensor.h>
#include <handrail/train/data/task.h>
#include <handrail/train/metrics/evaluation.h>
#include <handrail/train/report/anomaly.h>

// Pure functions that judge a run when it has ended: its predictions against a linear model, between the two modes and
// between training and validation rows, and when it ended.

namespace handrail::train {

/// How well each row was predicted.
struct RowScores {
  std::vector<double> losses;  // cross entropy in nats, or squared error, mean over the columns
  std::vector<double>
      credits;  // 1 for the right class, else 0; of a regression 1 - squared error / variance of targets
};
/// predictions: logits [N, C] of multiclass, else of as many elements as the targets. Nothing when shapes do not fit,
/// for values that are not finite or no class, and for targets of a regression that are all the same.
std::optional<RowScores> score_rows(const Tensor& predictions, const Tensor& targets, Task task);

/// Reports "model_worse_than_linear": on the same validation rows, at least 30, a linear model is better. All of these
/// must hold:
///   loss     that of the model is higher, paired z > 3, and by more than 10 % of that of the linear model
///   credits  lower by more than 0.03 and by more than 3 standard errors, paired
std::optional<Anomaly> check_linear(const RowScores& model, const RowScores& linear, Task task);

/// Whether predictions of the middles between rows are the middles between their predictions, to 0.1 % of the largest
/// difference, as only those of an affine function of the inputs are.
bool is_affine(const Tensor& first, const Tensor& second, const Tensor& middle);

/// Reports "model_too_small" when a model that is an affine function of its inputs is beaten, as in check_linear, by a
/// linear model of the squares and products of the inputs.
std::optional<Anomaly> check_curved(const RowScores& model, const RowScores& curved, Task task);

/// Reports "train_eval_gap": on the same rows, at least 30, the model is worse in evaluation than in training, which
/// dropout explains the other way round. All of these must hold:
///   loss     higher by more than a quarter, paired z > 4
///   credits  lower by more than 0.05 and by more than 3 standard errors, paired
std::optional<Anomaly> check_modes(const RowScores& training, const RowScores& evaluation, Task task);

/// Reports "loss_sign" when a model has learnt the opposite of the targets of its own training rows, at least 30. Both
/// must hold:
///   credits  below half of those of a guess by more than 3 standard errors
///   loss     more than twice that of a guess: the model is sure of it
/// classes: 2 for binary. Nothing for a regression.
std::optional<Anomaly> check_opposite(const RowScores& training, Task task, Index classes);

/// Columns of the inputs that say nothing of the targets.
struct NoiseColumns {
  double columns = 0;      // their number, about
  Index of = 0, rows = 0;  // columns in all, and training rows
  bool learnt = true;      // whether predictions on the validation set tell its targets at all
};
/// Reports "noise_columns" when a model is worse on the validation set than on training rows, and most columns are
/// noise. It is a note when there is fewer than one for 2 training rows, as in many a wide table. Both must hold:
///   noise     at least half of the columns, and at least one for 4 training rows
///   credits   lower by more than 0.05 and by more than 3 standard errors, or predictions that tell nothing
std::optional<Anomaly> check_noise_columns(const NoiseColumns& noise, const RowScores& training,
                                           const RowScores& validation, Task task);

/// Reports "overfitting" of a run that keeps its last weights, of which there are more than training rows: the score is
/// worse on the validation set than on training rows by more than 0.1 and 3 standard errors.
std::optional<Anomaly> check_memorised(const RowScores& training, const RowScores& validation, Task task);

/// Reports "model_too_large", a note, when there are more than 500 trained weights for each training row, and the score
/// is worse on the validation set than on training rows by more than 0.05 and 3 standard errors.
std::optional<Anomaly> check_model_size(Index weights, Index rows, const RowScores& training,
                                        const RowScores& validation, Task task);

/// When and how a run ended.
struct EndOfRun {
  std::int64_t steps = 0, planned_steps = 0;
  Index epochs = 0, planned_epochs = 0;  // completed and planned
  double max_seconds = 0;                // when this limit ended the run, else 0
  Index patience = 0;                    // when early stopping ended the run, else 0
  std::int64_t steps_to_evaluation = 1;  // between two evaluations
  std::int64_t steps_to_epoch = 1;       // in an epoch
};
/// Reports "limited_run" when max_seconds ended the run before 90 % of its steps, or "patience_too_low" when early
/// stopping ended it with a patience of at most 3 evaluations, or of less than 50 steps and an epoch: before 90 % of
/// the steps when these take less than an epoch, else in the first 30 %, or as a note before 60 %.
std::optional<Anomaly> check_end(const EndOfRun& end);

/// Reports "labels_shuffled" of the validation set when its rows are in the order of one of its columns, which has at
/// least 20 different values, and the model predicts training rows well and these no better than their mean or most
/// frequent class: inputs were sorted without their targets. inputs: [N, ...], in the order of the set.
std::optional<Anomaly> check_sorted_apart(const RowScores& training, const RowScores& validation, const Tensor& inputs,
                                          const Tensor& targets, Task task);

/// Further steps, made on trial after a run.
struct LongerTraining {
  double lr = 0;           // that was given for the run
  std::int64_t steps = 0;  // on trial
  double trial_lr = 0;     // their rate
};
/// Reports "lr_too_low" when these steps lower the validation loss by more than half, or, as a note, by more than a
/// quarter; and by more than 3 standard errors.
std::optional<Anomaly> check_undertrained(const LongerTraining& trial, const Evaluation& before,
                                          const Evaluation& after);

}  // namespace handrail::train
