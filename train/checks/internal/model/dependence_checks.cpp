#include <handrail/train/checks/internal/model/dependence_checks.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <string_view>
#include <vector>

#include <handrail/core/error.h>
#include <handrail/core/ops/ops.h>
#include <handrail/core/system/finite.h>
#include <handrail/train/files/text.h>

namespace handrail::train {
namespace {

Index rows_of(const Tensor& x) { return x.shape().rank() == 0 ? 0 : x.shape()[0]; }

Tensor pick_rows(const Tensor& x, std::span<const Index> rows) {
  Tensor picked(x.shape().with_first(std::ssize(rows)));
  const Index width = x.size() / x.shape()[0];
  Scalar* out = picked.mutable_data();
  for (const Index row : rows) out = std::copy_n(x.data() + row * width, width, out);
  return picked;
}

Batch pick_rows(const Batch& batch, std::span<const Index> rows) {
  return {pick_rows(batch.inputs, rows), pick_rows(batch.targets, rows)};
}

std::vector<Index> numbers_from(Index first, Index end) {
  std::vector<Index> rows;
  for (Index i = first; i < end; ++i) rows.push_back(i);
  return rows;
}

double largest_size(const Tensor& x) {
  double largest = 0;
  for (const Scalar value : x.span()) largest = std::max(largest, std::abs(static_cast<double>(value)));
  return largest;
}

// The largest difference of two elements at the same place.
double largest_difference(const Tensor& a, const Tensor& b) {
  double largest = 0;
  for (Index i = 0; i < std::min(a.size(), b.size()); ++i)
    largest = std::max(largest, std::abs(static_cast<double>(a.data()[i]) - static_cast<double>(b.data()[i])));
  return largest;
}

// Whether all rows are the same to that share of the largest number.
bool are_rows_equal(const Tensor& x, double tolerance) {
  const Index rows = rows_of(x), width = x.size() / rows;
  const double limit = tolerance * largest_size(x);
  for (Index i = width; i < x.size(); ++i)
    if (std::abs(static_cast<double>(x.data()[i]) - static_cast<double>(x.data()[i % width])) > limit) return false;
  return true;
}

// Whether the samples have different values in this column.
bool differs(const Tensor& x, Index column) {
  const Index width = x.size() / rows_of(x);
  for (Index i = column + width; i < x.size(); i += width)
    if (x.data()[i] != x.data()[column]) return true;
  return false;
}

// Of each column of the inputs, whether some prediction has a gradient with respect to it.
std::vector<char> columns_with_gradient(const Predict& predict, const Tensor& inputs) {
  const Index width = inputs.size() / rows_of(inputs);
  std::vector<char> used(static_cast<std::size_t>(width), 0);
  const Tensor x = inputs.clone();
  x.set_requires_grad(true);
  Tape tape(Mode::eval);
  const Tensor predictions = predict(x), weights(predictions.shape());
  for (Index i = 0; i < weights.size(); ++i)  // no symmetry between outputs may cancel a gradient
    weights.mutable_data()[i] = static_cast<Scalar>(std::cos(static_cast<double>(i + 1)));
  const Tensor mixed = sum(predictions * weights);
  if (mixed.op() == std::string_view("leaf")) return used;
  tape.backward(mixed);
  const Tensor gradient = x.grad();
  for (Index i = 0; gradient.defined() && i < gradient.size(); ++i)
    if (gradient.data()[i] != 0) used[static_cast<std::size_t>(i % width)] = 1;
  return used;
}

}  // namespace

std::optional<Anomaly> check_repeatable(const Predict& predict, const Tensor& inputs) {
  const Tensor once = predict(inputs), again = predict(inputs);
  if (first_non_finite(once.span()) >= 0 || std::ranges::equal(once.span(), again.span())) return std::nullopt;
  return Anomaly{.name = "random_evaluation",
                 .where = "first batch",
                 .evidence = concat("two evaluations of the same inputs differ by up to ",
                                    short_form(largest_difference(once, again))),
                 .cause = "dropout or noise that is on in evaluation too",
                 .remedy = "make it depend on Tape::training(), as nn::Dropout does"};
}

std::optional<Anomaly> check_rows_apart(const Predict& predict, const Tensor& inputs) {
  constexpr double tolerance = 1e-3;
  const Index n = rows_of(inputs);
  if (n < 4) return std::nullopt;
  const Tensor together = predict(inputs);
  if (rows_of(together) != n || first_non_finite(together.span()) >= 0) return std::nullopt;
  const Index width = together.size() / n;
  const double limit = tolerance * largest_size(together);
  double largest = 0;
  Index worst = 0;
  for (const Index row : {Index{0}, n / 2 - 1, n - 2}) {
    const std::array<Index, 2> pair{row, row + 1};
    const Tensor apart = predict(pick_rows(inputs, pair));
    if (apart.size() != 2 * width) return std::nullopt;
    for (Index i = 0; i < 2 * width; ++i) {
      const double difference =
          std::abs(static_cast<double>(apart.data()[i]) - static_cast<double>(together.data()[row * width + i]));
      if (difference > largest) largest = difference, worst = row + i / width;
    }
  }
  if (!(largest > limit)) return std::nullopt;
  return Anomaly{
      .name = "rows_mixed",
      .where = concat("sample ", worst, " of the first batch"),
      .evidence = concat("its prediction differs by ", short_form(largest), " when other samples are in the batch"),
      .cause =
          "an operation along the samples instead of the features, such as a softmax, mean or reshape over "
          "the wrong axis",
      .remedy = "compute each sample by itself: axis 0 counts samples"};
}

std::optional<Anomaly> check_uses_inputs(const Predict& predict, const Tensor& inputs) {
  constexpr Index min_rows = 8;
  const Index n = rows_of(inputs);
  if (n < min_rows) return std::nullopt;
  const Index width = inputs.size() / n;
  const Tensor predictions = predict(inputs);
  if (rows_of(predictions) != n || largest_size(predictions) == 0 || first_non_finite(predictions.span()) >= 0)
    return std::nullopt;
  const std::vector<char> used = columns_with_gradient(predict, inputs);
  const Tensor changed = inputs.clone();
  Index ignored = 0, varying = 0;
  for (Index j = 0; j < width; ++j) {
    if (!differs(inputs, j)) continue;
    ++varying;
    if (used[static_cast<std::size_t>(j)]) continue;
    ++ignored;
    for (Index i = 0; i < n; ++i) changed.mutable_data()[i * width + j] = inputs.data()[(i + 1) % n * width + j];
  }
  if (2 * ignored <= varying || !std::ranges::equal(predict(changed).span(), predictions.span())) return std::nullopt;
  return Anomaly{.name = "inputs_ignored",
                 .where = "first batch",
                 .evidence = concat(ignored, " of ", varying,
                                    " columns of the inputs can change without any effect on "
                                    "the predictions"),
                 .cause = "a model that does not use its inputs, or units that are all dead or saturated",
                 .remedy = "pass all columns through the model, and use the default weights"};
}

namespace {

// Whether the loss differs when all rows get the target of the first row and when all get another one.
bool depends_on_all_targets(const LossOf& loss_of, const Batch& batch) {
  const Index n = rows_of(batch.targets), width = batch.targets.size() / n;
  const auto with_target_of = [&](Index row) {
    const std::vector<Index> rows(static_cast<std::size_t>(n), row);
    return loss_of({batch.inputs, pick_rows(batch.targets, rows)});
  };
  const Scalar* t = batch.targets.data();
  for (Index other = 1; other < n; ++other)
    if (!std::equal(t, t + width, t + other * width)) return with_target_of(0) != with_target_of(other);
  return false;
}

}  // namespace

std::optional<Anomaly> check_uses_targets(const LossOf& loss_of, const Predict& predict, const Batch& batch) {
  const Index n = rows_of(batch.targets);
  if (n < 2 || are_rows_equal(batch.targets, 0) || are_rows_equal(predict(batch.inputs), 1e-6)) return std::nullopt;
  std::vector<Index> reversed = numbers_from(0, n), shifted = reversed;
  std::ranges::reverse(reversed);
  std::rotate(shifted.begin(), shifted.begin() + 1, shifted.end());
  const double loss = loss_of(batch);
  for (const auto& order : {reversed, shifted})
    if (!is_finite(loss) || loss_of({batch.inputs, pick_rows(batch.targets, order)}) != loss) return std::nullopt;
  if (depends_on_all_targets(loss_of, batch))
    return Anomaly{.name = "rows_mixed",
                   .where = "loss of the first batch",
                   .evidence = "it stays the same when samples exchange their targets",
                   .cause = "a mean over the samples before the loss: no prediction is compared with its own target",
                   .remedy = "compute the loss of each sample by itself, and return the mean"};
  return Anomaly{.name = "targets_ignored",
                 .where = "first batch",
                 .evidence = concat("the loss stays ", short_form(loss), " when the targets change places"),
                 .cause = "a loss that does not use the targets",
                 .remedy = "compare the predictions with batch.targets"};
}

namespace {

// Whether the loss of the samples in this order differs from the mean over the halves.
bool is_no_mean(const LossOf& loss_of, const Batch& batch, std::span<const Index> order) {
  constexpr double tolerance = 0.05;
  const std::size_t half = order.size() / 2;
  const double whole = loss_of(pick_rows(batch, order));
  const double mean =
      (loss_of(pick_rows(batch, order.first(half))) + loss_of(pick_rows(batch, order.subspan(half)))) / 2;
  return is_finite(whole) && is_finite(mean) && std::abs(whole - mean) > tolerance * std::abs(whole);
}

std::optional<Anomaly> check_is_apart(const LossOf& loss_of, const Batch& batch, Index n) {
  const std::vector<Index> rows = numbers_from(0, n);
  std::vector<Index> alternate;
  for (const Index first : {Index{0}, Index{1}})
    for (Index i = first; i < n; i += 2) alternate.push_back(i);
  if (!is_no_mean(loss_of, batch, rows) || !is_no_mean(loss_of, batch, alternate)) return std::nullopt;
  return Anomaly{.name = "rows_mixed",
                 .where = "loss of the first batch",
                 .evidence = "it is not the mean of the losses of the halves of the batch",
                 .cause =
                     "a loss that is computed along the samples instead of the classes, such as a softmax over the "
                     "wrong axis",
                 .remedy = "compute the loss of each sample by itself, and return the mean"};
}

}  // namespace

std::optional<Anomaly> check_validation(const LossOf& validation_loss, const LossOf& training_loss,
                                        const Batch& batch) {
  const Index n = rows_of(batch.inputs);
  if (n < 4) return std::nullopt;
  const Batch one = pick_rows(batch, numbers_from(0, n / 2)), other = pick_rows(batch, numbers_from(n / 2, n));
  const double loss = validation_loss(one), difference = std::abs(validation_loss(one) - loss);
  if (is_finite(difference) && difference > 1e-4 * std::abs(loss))
    return Anomaly{
        .name = "random_evaluation",
        .where = "validation_step",
        .evidence =
            concat("two losses of the same batch differ by ", short_form(100 * difference / std::abs(loss), 2), " %"),
        .cause = "random numbers in the evaluation, such as noise or augmentation, or a state that it changes",
        .remedy = "evaluate without random numbers",
        .severity = difference > 0.02 * std::abs(loss) ? Severity::warning : Severity::note};
  if (!is_finite(loss) || validation_loss(other) != loss || training_loss(one) == training_loss(other))
    return std::nullopt;
  return Anomaly{.name = "validation_ignored",
                 .where = "validation_step",
                 .evidence = concat("its loss is ", short_form(loss), " whatever the batch is"),
                 .cause = "a validation_step that does not use its batch",
                 .remedy = "compute the loss of the batch that validation_step gets"};
}

std::optional<Anomaly> check_same_predictions(const Tensor& training, const Tensor& evaluation) {
  constexpr double tolerance = 0.01;
  if (training.shape() != evaluation.shape() || first_non_finite(training.span()) >= 0) return std::nullopt;
  const double largest = largest_difference(training, evaluation);
  if (!(largest > tolerance * largest_size(training))) return std::nullopt;
  return Anomaly{.name = "train_eval_gap",
                 .where = "first batch",
                 .evidence = concat("predictions differ by ", short_form(largest), " from those in evaluation"),
                 .cause = "something that is done to the inputs or outputs in one of the two only",
                 .remedy = "do the same in training_step and predict_step"};
}

std::optional<Anomaly> check_is_mean(const LossOf& loss_of, const Batch& batch) {
  constexpr double tolerance = 0.01;
  const Index n = rows_of(batch.inputs) / 2 * 2;
  if (n < 4) return std::nullopt;
  const auto first = numbers_from(0, n / 2), second = numbers_from(n / 2, n), all = numbers_from(0, n);
  const double whole = loss_of(pick_rows(batch, all));
  const double of_first = loss_of(pick_rows(batch, first)), sum = of_first + loss_of(pick_rows(batch, second));
  if (!is_finite(whole) || !is_finite(sum) || whole == 0) return std::nullopt;
  if (whole == of_first && whole != sum - of_first)
    return Anomaly{.name = "rows_ignored",
                   .where = "first batch",
                   .evidence = concat("the loss of ", n, " samples is exactly that of the first ", n / 2),
                   .cause = "a loss that uses a part of the batch only",
                   .remedy = "return the mean over all samples"};
  if (std::abs(whole - sum) > tolerance * std::abs(whole)) return check_is_apart(loss_of, batch, n);
  std::vector<Index> twice = all;
  twice.insert(twice.end(), all.begin(), all.end());
  const double doubled = loss_of(pick_rows(batch, twice));
  if (!(std::abs(doubled - 2 * whole) <= tolerance * std::abs(2 * whole))) return std::nullopt;
  return Anomaly{.name = "sum_loss",
                 .where = "first batch",
                 .evidence = concat("the loss of ", n, " samples is ", short_form(whole), ", the sum over its halves"),
                 .cause = "a loss that is a sum over the samples: gradients grow with the batch size",
                 .remedy = "return the mean over the samples"};
}

}  // namespace handrail::train
