#include <handrail/train/checks/internal/outcome/outcome_checks.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <vector>

#include <handrail/core/error.h>
#include <handrail/core/system/finite.h>
#include <handrail/train/checks/internal/data_table.h>
#include <handrail/train/files/text.h>
#include <handrail/train/math/robust.h>

namespace handrail::train {
namespace {

constexpr std::size_t min_scored_rows = 30;

double average(const std::vector<double>& values) { return moments(values).mean; }

// "accuracy 0.91" or "R2 0.83".
std::string score_text(const RowScores& scores, Task task) {
  return concat(task == Task::regression ? "R2 " : "accuracy ", short_form(average(scores.credits), 3));
}

// Whether the credits of some rows are below those of other rows by more than `gap` and 3 standard errors.
bool is_worse(const RowScores& scores, const RowScores& others, double gap) {
  constexpr double min_errors = 3;
  if (std::min(scores.credits.size(), others.credits.size()) < min_scored_rows) return false;
  const Moments here = moments(scores.credits), there = moments(others.credits);
  return there.mean - here.mean > std::max(gap, min_errors * std::hypot(here.error, there.error));
}

// Whether another model has a clearly lower loss, and clearly more right, on the same rows.
bool is_beaten(const RowScores& model, const RowScores& other) {
  if (model.losses.size() < min_scored_rows) return false;
  const Moments loss = paired_moments(model.losses, other.losses),
                credit = paired_moments(other.credits, model.credits);
  return loss.mean > 3 * loss.error && loss.mean > 0.1 * average(other.losses) &&
         credit.mean > std::max(0.03, 3 * credit.error);
}

}  // namespace

std::optional<RowScores> score_rows(const Tensor& predictions, const Tensor& targets, Task task) {
  const Index rows = targets.shape().rank() > 0 ? targets.shape()[0] : 0;
  if (rows == 0 || first_non_finite(predictions.span()) >= 0 || first_non_finite(targets.span()) >= 0)
    return std::nullopt;
  RowScores scores;
  if (task == Task::multiclass) {
    const Index classes = predictions.size() / rows;
    if (predictions.shape().rank() != 2 || predictions.shape()[0] != rows || targets.size() != rows)
      return std::nullopt;
    for (Index i = 0; i < rows; ++i) {
      const Scalar* row = predictions.data() + i * classes;
      const auto label = static_cast<Index>(targets.data()[i]);
      if (label < 0 || label >= classes) return std::nullopt;
      const auto top = static_cast<double>(*std::max_element(row, row + classes));
      double sum = 0;
      for (Index c = 0; c < classes; ++c) sum += std::exp(static_cast<double>(row[c]) - top);
      scores.losses.push_back(top - static_cast<double>(row[label]) + std::log(sum));
      scores.credits.push_back(std::max_element(row, row + classes) - row == label ? 1 : 0);
    }
    return scores;
  }
  if (predictions.size() != targets.size()) return std::nullopt;
  const Index columns = targets.size() / rows;
  double mean = 0, variance = 0;
  for (const Scalar target : targets.span()) mean += static_cast<double>(target) / static_cast<double>(targets.size());
  for (const Scalar target : targets.span())
    variance += std::pow(static_cast<double>(target) - mean, 2) / static_cast<double>(targets.size());
  if (task == Task::regression && !(variance > 0)) return std::nullopt;
  for (Index i = 0; i < rows; ++i) {
    double loss = 0, right = 0;
    for (Index j = i * columns; j < (i + 1) * columns; ++j) {
      const auto p = static_cast<double>(predictions.data()[j]), t = static_cast<double>(targets.data()[j]);
      loss += task == Task::binary ? std::max(p, 0.0) - p * t + std::log1p(std::exp(-std::abs(p))) : (p - t) * (p - t);
      right += (p > 0) == (t > 0.5) ? 1 : 0;
    }
    loss /= static_cast<double>(columns);
    scores.losses.push_back(loss);
    scores.credits.push_back(task == Task::binary ? right / static_cast<double>(columns) : 1 - loss / variance);
  }
  return scores;
}

std::optional<Anomaly> check_linear(const RowScores& model, const RowScores& linear, Task task) {
  if (!is_beaten(model, linear)) return std::nullopt;
  return Anomaly{
      .name = "model_worse_than_linear",
      .where = "validation set",
      .evidence = concat(score_text(model, task), "; a linear model has ", short_form(average(linear.credits), 3)),
      .cause =
          "training did not get where a straight line gets: a mistake in data, model or settings, a rate "
          "that does not fit, or too few steps",
      .remedy = "see the other findings, then lr and epochs",
      .details = concat("loss ", short_form(average(model.losses)), " against ", short_form(average(linear.losses)),
                        " on ", model.losses.size(),
                        " rows, for a linear model that was fitted in closed form to a sample of the training rows"),
      .rank = Rank::outcome};
}

bool is_affine(const Tensor& first, const Tensor& second, const Tensor& middle) {
  constexpr double tolerance = 1e-3;
  if (first.size() != second.size() || first.size() != middle.size() || first.size() == 0) return false;
  double largest = 0, difference = 0;
  for (Index i = 0; i < first.size(); ++i) {
    const auto a = static_cast<double>(first.data()[i]), b = static_cast<double>(second.data()[i]);
    difference = std::max(difference, std::abs(static_cast<double>(middle.data()[i]) - (a + b) / 2));
    largest = std::max(largest, std::abs(a - b));
  }
  return is_finite(difference) && largest > 0 && difference < tolerance * largest;
}

std::optional<Anomaly> check_curved(const RowScores& model, const RowScores& curved, Task task) {
  if (!is_beaten(model, curved)) return std::nullopt;
  return Anomaly{
      .name = "model_too_small",
      .where = "model",
      .evidence = concat("it is linear: ", score_text(model, task), "; with squares and products of the inputs ",
                         short_form(average(curved.credits), 3)),
      .cause = "no hidden layer, or no activation between the layers: the model cannot bend",
      .remedy = "add a hidden layer with ReLU",
      .details = concat("on ", model.losses.size(),
                        " rows of the validation set, for a linear model of squares and products that was fitted in "
                        "closed form to a sample of the training rows")};
}

std::optional<Anomaly> check_modes(const RowScores& training, const RowScores& evaluation, Task task) {
  if (training.losses.size() < min_scored_rows || evaluation.losses.size() != training.losses.size())
    return std::nullopt;
  const Moments loss = paired_moments(evaluation.losses, training.losses),
                credit = paired_moments(training.credits, evaluation.credits);
  if (loss.mean <= 4 * loss.error || loss.mean <= 0.25 * average(training.losses)) return std::nullopt;
  if (credit.mean <= std::max(0.05, 3 * credit.error)) return std::nullopt;
  return Anomaly{
      .name = "train_eval_gap",
      .where = "training rows",
      .evidence = concat(score_text(training, task), " as trained, ", short_form(average(evaluation.credits), 3),
                         " in evaluation"),
      .cause =
          "training_step does something to inputs or outputs that predict_step and validation_step do "
          "not, or running statistics of a norm that do not fit",
      .remedy = "compute the same in both",
      .details = concat("loss ", short_form(average(training.losses)), " and ", short_form(average(evaluation.losses)),
                        " on the same ", training.losses.size(), " rows")};
}

std::optional<Anomaly> check_opposite(const RowScores& training, Task task, Index classes) {
  if (task == Task::regression || classes < 2 || training.credits.size() < min_scored_rows) return std::nullopt;
  const Moments credit = moments(training.credits);
  const double guess = 1 / static_cast<double>(classes), loss = average(training.losses),
               guess_loss = std::log(static_cast<double>(classes));
  if (credit.mean + 3 * credit.error >= guess / 2 || loss <= 2 * guess_loss) return std::nullopt;
  return Anomaly{
      .name = "loss_sign",
      .where = "training rows",
      .evidence =
          concat("accuracy ", short_form(credit.mean, 3), " after training; guessing gives ", short_form(guess, 3)),
      .cause = "a loss with the wrong sign: the model has learnt to avoid its targets",
      .remedy = "change the sign of the loss",
      .details = concat("the cross entropy is ", short_form(loss, 3), ", that of a guess ", short_form(guess_loss, 3))};
}

std::optional<Anomaly> check_noise_columns(const NoiseColumns& noise, const RowScores& training,
                                           const RowScores& validation, Task task) {
  constexpr double min_share = 0.5, rows_to_a_column = 4, min_gap = 0.05;
  const double share = noise.columns / static_cast<double>(std::max<Index>(1, noise.of));
  if (share < min_share || rows_to_a_column * noise.columns < static_cast<double>(noise.rows)) return std::nullopt;
  if (noise.learnt && !is_worse(validation, training, min_gap)) return std::nullopt;
  return Anomaly{
      .name = "noise_columns",
      .where = "inputs",
      .evidence =
          concat("about ", short_form(100 * share, 2), " % of ", noise.of, " columns say nothing of the target; ",
                 score_text(training, task), ", held out ", short_form(average(validation.credits), 3)),
      .cause = concat("too many columns for ", noise.rows,
                      " rows: the model learns chance relations of columns that "
                      "are noise"),
      .remedy = "leave them out",
      .details =
          "a column tells something when its values, or their distances from the middle, correlate with the target",
      .severity = 2 * noise.columns < static_cast<double>(noise.rows) ? Severity::note : Severity::warning};
}

std::optional<Anomaly> check_memorised(const RowScores& training, const RowScores& validation, Task task) {
  constexpr double min_gap = 0.1;
  if (!is_worse(validation, training, min_gap)) return std::nullopt;
  return Anomaly{.name = "overfitting",
                 .where = "last weights",
                 .evidence = concat(score_text(training, task), " on training rows, ",
                                    short_form(average(validation.credits), 3), " on the validation set"),
                 .cause = "the model memorises its training samples, and the weights of the last step are kept",
                 .remedy = "restore_best, fewer epochs, or more data",
                 .rank = Rank::outcome};
}

std::optional<Anomaly> check_model_size(Index weights, Index rows, const RowScores& training,
                                        const RowScores& validation, Task task) {
  constexpr Index max_per_row = 500;
  constexpr double min_gap = 0.05;
  if (rows == 0 || weights / rows < max_per_row || !is_worse(validation, training, min_gap)) return std::nullopt;
  return Anomaly{
      .name = "model_too_large",
      .where = "model",
      .evidence = concat(weights / rows, " weights for each of ", rows, " rows; ", score_text(training, task),
                         " on these, held out ", short_form(average(validation.credits), 3)),
      .cause = "a model that can memorise its training rows in many ways, most of which say nothing of others",
      .remedy = "use narrower or fewer layers",
      .severity = Severity::note};
}

std::optional<Anomaly> check_end(const EndOfRun& end) {
  const double share =
      static_cast<double>(end.steps) / static_cast<double>(std::max<std::int64_t>(1, end.planned_steps));
  if (end.max_seconds > 0 && share < 0.9)
    return Anomaly{.name = "limited_run",
                   .where = "max_seconds",
                   .evidence = concat("ended the run after ", end.steps, " of ", end.planned_steps, " steps"),
                   .cause = concat("a limit of ", short_form(end.max_seconds),
                                   " s, which is too short for the planned epochs: the rate had not fallen to its end"),
                   .remedy = "remove max_seconds, or plan fewer epochs"};
  constexpr Index few_evaluations = 3, few_steps = 50;
  constexpr double early = 0.3, long_before_end = 0.6, before_end = 0.9;
  const std::int64_t waits = end.patience * end.steps_to_evaluation;
  const bool within_epoch = waits < end.steps_to_epoch, hasty = within_epoch && waits < few_steps;
  if (end.patience == 0 || (end.patience > few_evaluations && !hasty)) return std::nullopt;
  if (share >= (within_epoch ? before_end : long_before_end)) return std::nullopt;
  return Anomaly{.name = "patience_too_low",
                 .where = "patience",
                 .evidence = concat("ended the run after ", end.steps, " of ", end.planned_steps,
                                    " steps, at patience ", end.patience),
                 .cause = "noise of a few evaluations, or the warmup, was taken for the end of progress",
                 .remedy = "set patience = 10",
                 .details = within_epoch ? "it waits for less than one epoch" : "",
                 .severity = within_epoch || share < early ? Severity::warning : Severity::note};
}

std::optional<Anomaly> check_sorted_apart(const RowScores& training, const RowScores& validation, const Tensor& inputs,
                                          const Tensor& targets, Task task) {
  constexpr Index min_rows = 50;
  constexpr std::size_t min_distinct = 20;
  constexpr double min_gap = 0.2, max_gain = 0.05;
  const Index rows = inputs.shape()[0], width = inputs.size() / std::max<Index>(rows, 1);
  if (rows < min_rows || !is_worse(validation, training, min_gap)) return std::nullopt;
  // The credit of the mean, or of the most frequent class.
  const double baseline = task == Task::regression ? 0
                                                   : static_cast<double>(describe(targets.span()).common_count) /
                                                         static_cast<double>(targets.size());
  if (average(validation.credits) > baseline + max_gain) return std::nullopt;
  for (Index j = 0; j < width; ++j) {
    std::vector<Scalar> column;
    for (Index i = 0; i < rows; ++i) column.push_back(inputs.data()[i * width + j]);
    if (!is_in_order(column) || count_different(std::span<const Scalar>(column)) < min_distinct) continue;
    return Anomaly{.name = "labels_shuffled",
                   .where = concat("validation set, column ", j, " of the inputs"),
                   .evidence = concat("its rows are in the order of this column; ", score_text(validation, task),
                                      ", on training rows ", short_form(average(training.credits), 3)),
                   .cause = "inputs that were sorted without their targets: each target belongs to another row",
                   .remedy = "sort inputs and targets together"};
  }
  return std::nullopt;
}

std::optional<Anomaly> check_undertrained(const LongerTraining& trial, const Evaluation& before,
                                          const Evaluation& after) {
  constexpr double min_fall = 0.25, much = 0.5, min_errors = 3;
  if (before.group_losses.size() != after.group_losses.size()) return std::nullopt;
  const auto [fall, error] = paired_moments(before.group_losses, after.group_losses);
  if (!(after.loss < (1 - min_fall) * before.loss && fall > min_errors * error)) return std::nullopt;
  return Anomaly{.name = "lr_too_low",
                 .where = "lr",
                 .evidence = concat(trial.steps, " more steps at a rate of ", short_form(trial.trial_lr, 2),
                                    " lower the validation loss from ", short_form(before.loss, 3), " to ",
                                    short_form(after.loss, 3)),
                 .cause = concat("a learning rate of ", short_form(trial.lr, 2),
                                 " that is too low for the steps of the run, or a schedule that falls too soon"),
                 .remedy = "leave lr out, raise it, or train for more epochs",
                 .rank = Rank::pace,
                 .severity = after.loss < (1 - much) * before.loss ? Severity::warning : Severity::note};
}

}  // namespace handrail::train
