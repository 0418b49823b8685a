#include <handrail/train/checks/internal/outcome/prediction_checks.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include <handrail/core/error.h>
#include <handrail/core/system/finite.h>
#include <handrail/train/checks/internal/model/step_graph.h>
#include <handrail/train/checks/internal/outcome/classified.h>
#include <handrail/train/checks/internal/outcome/flipped_labels.h>
#include <handrail/train/checks/internal/outcome/label_diagnosis.h>
#include <handrail/train/files/text.h>
#include <handrail/train/math/robust.h>

namespace handrail::train {
namespace {

double cross_entropy_of(const Classified& data, Index i) {
  const Scalar* row = data.row(i);
  const auto top = static_cast<double>(*std::max_element(row, row + data.classes));
  double sum = 0;
  for (Index c = 0; c < data.classes; ++c) sum += std::exp(static_cast<double>(row[c]) - top);
  return top - static_cast<double>(row[data.label(i)]) + std::log(sum);
}

// How the model compares with the same prediction for every sample.
struct Comparison {
  std::vector<double> model, baseline;   // the losses of the samples
  double right = 0, baseline_right = 0;  // the number of samples predicted correctly; unused for a regression
};

Comparison compare_classes(const Classified& data) {
  Comparison result;
  const std::vector<double> counts = class_counts(data);
  const auto n = static_cast<double>(data.rows);
  for (Index i = 0; i < data.rows; ++i) {
    result.model.push_back(cross_entropy_of(data, i));
    result.baseline.push_back(-std::log(counts[static_cast<std::size_t>(data.label(i))] / n));
    result.right += data.predicted(i) == data.label(i) ? 1 : 0;
  }
  result.baseline_right = std::ranges::max(counts);
  return result;
}

double binary_loss(double logit, double target) {
  return std::max(logit, 0.0) - logit * target + std::log1p(std::exp(-std::abs(logit)));
}

// The loss of a sample is the mean over its elements. The baseline predicts the mean, or the frequency, of each column.
Comparison compare_columns(const Tensor& predictions, const Tensor& targets, bool binary) {
  const Index rows = targets.shape()[0], cols = targets.size() / rows;
  const auto n = static_cast<double>(rows), width = static_cast<double>(cols);
  Comparison result{.model = std::vector<double>(static_cast<std::size_t>(rows)),
                    .baseline = std::vector<double>(static_cast<std::size_t>(rows))};
  for (Index j = 0; j < cols; ++j) {
    double mean = 0;
    for (Index i = 0; i < rows; ++i) mean += static_cast<double>(targets.data()[i * cols + j]) / n;
    // The frequency as a logit. It stays finite when only one class occurs.
    const double usual = binary ? std::log(std::max(mean, 1e-12) / std::max(1 - mean, 1e-12)) : mean;
    for (Index i = 0; i < rows; ++i) {
      const auto p = static_cast<double>(predictions.data()[i * cols + j]);
      const auto t = static_cast<double>(targets.data()[i * cols + j]);
      const auto loss = [&](double x) { return binary ? binary_loss(x, t) : (x - t) * (x - t); };
      result.model[static_cast<std::size_t>(i)] += loss(p) / width;
      result.baseline[static_cast<std::size_t>(i)] += loss(usual) / width;
      result.right += (p > 0) == (t > 0.5) ? 1 / width : 0;
      result.baseline_right += (usual > 0) == (t > 0.5) ? 1 / width : 0;
    }
  }
  return result;
}

// Of the finding that a model has learnt nothing: fewer rows do not tell a mediocre model from none.
Severity severity_on(const Tensor& targets) {
  constexpr Index enough_rows = 40;
  return targets.shape()[0] < enough_rows ? Severity::note : Severity::warning;
}

// Nothing for fewer than 10 samples, and for values that are not finite.
std::optional<Comparison> compare(const char* who, const Tensor& predictions, const Tensor& targets, Task task) {
  constexpr Index min_samples = 10;
  if (targets.size() < min_samples || first_non_finite(predictions.span()) >= 0 ||
      first_non_finite(targets.span()) >= 0)
    return std::nullopt;
  if (task != Task::multiclass && (targets.size() != predictions.size() || targets.shape().rank() == 0))
    fail<ShapeError>(who, ": want predictions and targets of the same shape; got ", predictions.shape(), " and ",
                     targets.shape());
  Comparison result = task == Task::multiclass ? compare_classes(classified(who, predictions, targets))
                                               : compare_columns(predictions, targets, task == Task::binary);
  if (std::ssize(result.model) < min_samples) return std::nullopt;
  return result;
}

}  // namespace

std::optional<Anomaly> check_initial_loss(double loss, Task task, Index classes, const Tensor& outputs) {
  if (task == Task::regression || classes < 2) return std::nullopt;
  const double guess = std::log(task == Task::binary ? 2.0 : static_cast<double>(classes));
  // Logits of variance v raise the loss above that of a guess by about v / 2. Measured first losses on digits, iris and
  // MNIST: at most 2.9 with the initial weights of nn::Linear or nn::init, which train well; at least 17 with raw bytes
  // as inputs, or with weights ten times as large.
  if (!(loss > guess + std::max(guess, 3.0))) return std::nullopt;
  Anomaly anomaly{
      .name = "initial_loss",
      .where = "first batch",
      .evidence = concat("loss ", short_form(loss, 3), " before training; guessing gives ", short_form(guess, 3)),
      .cause = "initial weights that are too large, or inputs that are not normalised",
      .remedy = "use nn::Standardize::fit(train) and the default weights"};
  if (!outputs.defined()) return anomaly;
  const double size = root_mean_square(outputs), varies = deviation(outputs);
  anomaly.details = concat("the outputs have a root mean square of ", short_form(size, 3), " and differ by ",
                           short_form(varies, 3), " between samples");
  if (size > 3 * varies) {
    anomaly.cause = "an output bias that is far from 0";
    anomaly.remedy = "start the bias at 0";
  }
  return anomaly;
}

std::optional<Anomaly> diagnose_chance(const Tensor& predictions, const Tensor& targets, Task task) {
  if (task == Task::regression) return std::nullopt;
  const auto result = compare("diagnose_chance", predictions, targets, task);
  if (!result) return std::nullopt;
  const auto n = static_cast<double>(result->model.size());
  const double chance = task == Task::binary ? 0.5 : 1 / static_cast<double>(predictions.shape().cols());
  const double accuracy = result->right / n;
  if (chance - accuracy <= 2 * std::sqrt(chance * (1 - chance) / n)) return std::nullopt;
  return Anomaly{.name = "below_chance",
                 .where = "validation set",
                 .evidence = concat("accuracy ", short_form(accuracy, 3), "; guessing gives ", short_form(chance, 3)),
                 .cause =
                     "a loss with the wrong sign, or labels that are coded in another way in the validation set "
                     "than in the training set",
                 .remedy = "check the sign of the loss, and the labels of both sets",
                 .rank = Rank::setup};
}

std::optional<Anomaly> diagnose_baseline(const Tensor& predictions, const Tensor& targets, Task task) {
  constexpr double one_sided_99 = 2.326, min_gain = 0.05;
  const auto compared = compare("diagnose_baseline", predictions, targets, task);
  if (!compared) return std::nullopt;
  const Comparison& result = *compared;
  std::vector<double> gains;
  for (std::size_t i = 0; i < result.model.size(); ++i) gains.push_back(result.baseline[i] - result.model[i]);
  const Moments gain = moments(gains), baseline = moments(result.baseline), model = moments(result.model);
  if (gain.mean > min_gain * baseline.mean || gain.mean > one_sided_99 * gain.error) return std::nullopt;
  if (baseline.mean < 1e-9) return std::nullopt;
  const auto n = static_cast<double>(gains.size());
  if (task != Task::regression && clearly_above(result.right, n, result.baseline_right / n)) return std::nullopt;
  return Anomaly{
      .name = "no_better_than_baseline",
      .where = "validation set",
      .evidence =
          concat("the loss is ", short_form(model.mean), "; always predicting ",
                 task == Task::regression ? "the mean" : "the class frequencies", " gives ", short_form(baseline.mean)),
      .cause =
          "inputs that do not predict the targets (rows out of order, random labels), or a learning rate that is "
          "far off",
      .remedy = "check that inputs and targets match row by row",
      .rank = Rank::outcome,
      .severity = severity_on(targets)};
}

Anomaly shuffled_labels(double signal, bool was_tried) {
  return {.name = "labels_shuffled",
          .where = "training targets",
          .evidence =
              concat("rows with similar inputs have no more similar targets than any two rows (", short_form(signal, 2),
                     " standard errors)", was_tried ? ", and the model has learnt nothing" : ""),
          .cause =
              "inputs and targets that are not of the same rows, such as one of them shuffled alone, or columns that "
              "were sorted or shuffled each by itself: print the first rows beside the file they come from",
          .remedy = "check that inputs and targets match row by row",
          .rank = Rank::labels};
}

std::vector<Anomaly> diagnose(const Tensor& predictions, const Tensor& targets, Task task, bool plain,
                              std::span<const Index> rows, std::optional<double> signal) {
  if (plain)
    if (auto recoding = diagnose_recoding(predictions, targets, task)) return {std::move(*recoding)};
  // Of labels that say nothing, one run in forty is below chance by chance.
  const bool untold = signal && *signal < min_label_signal;
  if (untold && !tells_targets(predictions, targets, task, signal)) {
    std::vector<Anomaly> found{shuffled_labels(*signal, true)};
    found[0].severity = severity_on(targets);
    if (plain)
      if (auto baseline = diagnose_baseline(predictions, targets, task)) found.push_back(std::move(*baseline));
    return found;
  }
  if (!untold)
    if (auto below = diagnose_chance(predictions, targets, task)) return {std::move(*below)};
  if (!plain) return {};
  if (auto shift = diagnose_shift(predictions, targets, task, rows)) return {std::move(*shift)};
  if (auto baseline = diagnose_baseline(predictions, targets, task)) {
    // The order of the logits may tell a rare class although it is never predicted.
    if (task != Task::regression && tells_targets(predictions, targets, task)) baseline->severity = Severity::note;
    return {std::move(*baseline)};
  }
  if (task == Task::regression) return {};
  const bool two = task == Task::binary || predictions.size() == 2 * targets.size();
  auto noise = two ? diagnose_binary_labels(predictions, targets, rows) : diagnose_labels(predictions, targets, rows);
  if (!noise) noise = diagnose_flips(predictions, targets, rows);
  return noise ? std::vector{std::move(*noise)} : std::vector<Anomaly>();
}

}  // namespace handrail::train
