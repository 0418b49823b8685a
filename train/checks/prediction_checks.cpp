#include <handrail/train/checks/internal/prediction_checks.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include <handrail/core/error.h>
#include <handrail/core/system/finite.h>
#include <handrail/train/checks/internal/recoding.h>
#include <handrail/train/files/text.h>
#include <handrail/train/math/robust.h>

namespace handrail::train {
namespace {

// Logits [rows, classes] and labels [rows].
struct Classified {
  const Scalar* logits;
  const Scalar* labels;
  Index rows, classes;

  const Scalar* row(Index i) const { return logits + i * classes; }
  Index label(Index i) const { return static_cast<Index>(labels[i]); }
  Index predicted(Index i) const { return std::max_element(row(i), row(i) + classes) - row(i); }
};

Classified classified(const char* who, const Tensor& predictions, const Tensor& targets) {
  const Shape& shape = predictions.shape();
  if (shape.rank() != 2 || shape[1] == 0 || targets.size() != shape[0])
    fail<ShapeError>(who, ": want predictions [N, C], targets [N]; got ", shape, " and ", targets.shape());
  const Classified data{predictions.data(), targets.data(), shape[0], shape[1]};
  for (Index i = 0; i < data.rows; ++i)
    if (!(data.labels[i] >= 0 && data.labels[i] < static_cast<Scalar>(data.classes)))
      throw DataError(concat(who, ": want a class in [0, ", data.classes, "); got ", data.labels[i], " in row ", i), i);
  return data;
}

std::vector<double> class_counts(const Classified& data) {
  std::vector<double> counts(static_cast<std::size_t>(data.classes));
  for (Index i = 0; i < data.rows; ++i) ++counts[static_cast<std::size_t>(data.label(i))];
  return counts;
}

// Whether the share of correct predictions is above `share` by more than 2 standard errors.
bool clearly_above(double right, double samples, double share) {
  const double accuracy = right / samples;
  return accuracy - share > 2 * std::sqrt(std::max(share * (1 - share), accuracy * (1 - accuracy)) / samples);
}

// The rank of the label of row i among the classes that were not predicted: 0 for the second choice, 1 for the last.
// Classes of equal logits share the best of their ranks.
double rank_of_label(const Classified& data, Index i) {
  const Scalar* row = data.row(i);
  const Scalar own = row[data.label(i)];
  const auto above = std::count_if(row, row + data.classes, [own](Scalar logit) { return logit > own; });
  return static_cast<double>(std::max<Index>(1, above) - 1) / static_cast<double>(data.classes - 2);
}

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

std::optional<Anomaly> check_initial_loss(double loss, Task task, Index classes) {
  if (task == Task::regression || classes < 2) return std::nullopt;
  const double guess = std::log(task == Task::binary ? 2.0 : static_cast<double>(classes));
  // Logits of variance v raise the loss above that of a guess by about v / 2. Measured first losses on digits, iris and
  // MNIST: at most 2.9 with the initial weights of nn::Linear or nn::init, which train well; at least 17 with raw bytes
  // as inputs, or with weights ten times as large.
  if (!(loss > guess + std::max(guess, 3.0))) return std::nullopt;
  return Anomaly{
      .name = "initial_loss",
      .where = "first batch",
      .evidence = concat("loss ", short_form(loss, 3), " before training; guessing gives ", short_form(guess, 3)),
      .cause = "initial weights that are too large, or inputs that are not normalised",
      .remedy = "use nn::Standardize::fit(train) and the default weights"};
}

std::optional<Anomaly> diagnose_labels(const Tensor& predictions, const Tensor& targets, std::span<const Index> rows) {
  constexpr double min_wrong_share = 0.05, max_share_of_chance = 0.75, one_sided_95 = 1.645;
  constexpr std::size_t min_wrong = 10, max_named_rows = 5;
  const Classified data = classified("diagnose_labels", predictions, targets);
  if (data.classes < 3 || data.rows == 0 || first_non_finite(predictions.span()) >= 0) return std::nullopt;
  const auto n = static_cast<double>(data.rows);

  struct Wrong {
    Index row;
    Scalar margin;  // logit of the predicted class - logit of the label
  };
  std::vector<Wrong> wrong;
  std::vector<double> ranks;
  for (Index i = 0; i < data.rows; ++i) {
    const Index predicted = data.predicted(i);
    if (predicted == data.label(i)) continue;
    wrong.push_back({i, data.row(i)[predicted] - data.row(i)[data.label(i)]});
    ranks.push_back(rank_of_label(data, i));
  }
  const auto c = static_cast<double>(data.classes);
  const double share = static_cast<double>(wrong.size()) / n, of_chance = share * c / (c - 1);
  if (wrong.size() < min_wrong || share < min_wrong_share || of_chance > max_share_of_chance) return std::nullopt;
  if (!clearly_above(n - static_cast<double>(wrong.size()), n, std::ranges::max(class_counts(data)) / n))
    return std::nullopt;
  // The mistakes of a poor model are spread over the classes too: the mean rank at chance is 0.5.
  const double natural_rank = 0.17 + 0.33 * of_chance;
  const Moments rank = moments(ranks);
  if (rank.mean - one_sided_95 * rank.error <= natural_rank) return std::nullopt;

  std::ranges::sort(wrong, std::ranges::greater{}, &Wrong::margin);
  std::string named;
  for (std::size_t k = 0; k < std::min(max_named_rows, wrong.size()); ++k) {
    const auto i = static_cast<std::size_t>(wrong[k].row);
    named += (k == 0 ? "" : ", ") + std::to_string(rows.empty() ? wrong[k].row : rows[i]);
  }
  // The mean rank is about 0 for natural mistakes and 0.5 for random labels. One random label in C is right by chance.
  const double noise = of_chance * std::min(1.0, 2 * rank.mean);
  return Anomaly{.name = "label_noise",
                 .where = concat("rows ", named, " of the validation set"),
                 .evidence = concat(short_form(100 * share, 3), " % of predictions are wrong, seemingly at random"),
                 .cause = concat("random labels, about ", short_form(100 * noise, 2), " % of all"),
                 .remedy = "check the labels of these rows",
                 .details = concat("the mean rank of the given label is ", short_form(rank.mean, 3),
                                   " among the other classes (0 is second choice, 0.5 chance, 1 last); the rows named "
                                   "contradict the model most"),
                 .rank = Rank::labels};
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
      .rank = Rank::outcome};
}

namespace {

// For each sample the logit of the class that its label names, less that of the other one. Empty unless there are two
// classes, all labels are 0 or 1, and all logits are finite.
std::vector<double> margins_of_two(const Tensor& predictions, const Tensor& targets) {
  const Index n = targets.size(), width = n > 0 ? predictions.size() / n : 0;
  if (n == 0 || predictions.size() != n * width || predictions.shape()[0] != n)
    fail<ShapeError>("diagnose_binary_labels: want predictions [N] or [N, 2], targets [N]; got ", predictions.shape(),
                     " and ", targets.shape());
  std::vector<double> margins;
  if (width > 2 || first_non_finite(predictions.span()) >= 0) return margins;
  for (Index i = 0; i < n; ++i) {
    const Scalar target = targets.data()[i];
    if (target != 0 && target != 1) return {};
    const Scalar* row = predictions.data() + i * width;
    const auto logit = static_cast<double>(width == 2 ? row[1] - row[0] : row[0]);
    margins.push_back(target == 1 ? logit : -logit);
  }
  return margins;
}

}  // namespace

std::optional<Anomaly> diagnose_binary_labels(const Tensor& predictions, const Tensor& targets,
                                              std::span<const Index> rows) {
  constexpr double min_wrong_share = 0.05, max_wrong_share = 0.35, one_sided_95 = 1.645;
  constexpr std::size_t min_wrong = 20, max_named_rows = 5;
  const std::vector<double> margins = margins_of_two(predictions, targets);
  std::vector<std::size_t> wrong;
  std::vector<double> doubts;  // of right predictions, ascending
  for (std::size_t i = 0; i < margins.size(); ++i)
    if (margins[i] < 0)
      wrong.push_back(i);
    else
      doubts.push_back(margins[i]);
  const double share =
      static_cast<double>(wrong.size()) / static_cast<double>(std::max<std::size_t>(1, margins.size()));
  if (wrong.size() < min_wrong || share < min_wrong_share || share > max_wrong_share) return std::nullopt;
  std::ranges::sort(doubts);
  const auto m = static_cast<double>(wrong.size()), n = static_cast<double>(doubts.size());
  double chance = 0;  // that a right prediction is more confident (Mann and Whitney 1947)
  for (const std::size_t i : wrong)
    chance += static_cast<double>(doubts.end() - std::ranges::upper_bound(doubts, -margins[i])) / (m * n);
  const double natural = 0.96 - share, error = std::sqrt((1 / m + 1 / n) / 12);
  if (chance + one_sided_95 * error > (0.5 + natural) / 2) return std::nullopt;

  std::ranges::sort(wrong, {}, [&](std::size_t i) { return margins[i]; });
  std::string named;
  for (std::size_t k = 0; k < std::min(max_named_rows, wrong.size()); ++k)
    named += (k == 0 ? "" : ", ") + std::to_string(rows.empty() ? static_cast<Index>(wrong[k]) : rows[wrong[k]]);
  return Anomaly{
      .name = "label_noise",
      .where = concat("rows ", named, " of the validation set"),
      .evidence = concat(short_form(100 * share, 3), " % of predictions are wrong, and as confident as the right ones"),
      .cause = "labels of which some are flipped",
      .remedy = "check the labels of these rows",
      .details = concat("a right prediction is more confident than a wrong one in ", short_form(100 * chance, 3),
                        " % of pairs, where about ", short_form(100 * natural, 2),
                        " % are natural; the rows named contradict the model most"),
      .rank = Rank::labels};
}

std::optional<Anomaly> diagnose_recoding(const Tensor& predictions, const Tensor& targets, Task task) {
  constexpr std::size_t max_classes = 1000;
  std::vector<std::size_t> counts;
  std::size_t classes = 2;
  if (task == Task::multiclass) {
    const Classified data = classified("diagnose_recoding", predictions, targets);
    classes = static_cast<std::size_t>(data.classes);
    if (classes > max_classes || first_non_finite(predictions.span()) >= 0) return std::nullopt;
    counts.resize(classes * classes);
    for (Index i = 0; i < data.rows; ++i)
      ++counts[static_cast<std::size_t>(data.label(i)) * classes + static_cast<std::size_t>(data.predicted(i))];
  } else {
    if (task == Task::regression || predictions.size() != targets.size()) return std::nullopt;
    counts.resize(4);
    const std::vector<double> margins = margins_of_two(predictions, targets);
    for (std::size_t i = 0; i < margins.size(); ++i) {
      const std::size_t label = targets.span()[i] == 1 ? 1 : 0;
      ++counts[2 * label + (margins[i] > 0 ? label : 1 - label)];
    }
  }
  const std::string recoding = describe_recoding(counts, classes);
  if (recoding.empty()) return std::nullopt;
  return Anomaly{.name = "labels_recoded",
                 .where = "validation targets",
                 .evidence = concat("the model predicts others: ", recoding),
                 .cause = "classes that are numbered in a different order in the two sets",
                 .remedy = "number the classes of both alike"};
}

std::vector<Anomaly> diagnose(const Tensor& predictions, const Tensor& targets, Task task, bool plain,
                              std::span<const Index> rows, std::optional<double> signal) {
  constexpr double min_signal = 3;
  if (plain)
    if (auto recoding = diagnose_recoding(predictions, targets, task)) return {std::move(*recoding)};
  // Of labels that say nothing, one run in forty is below chance by chance.
  const bool shuffled = signal && *signal < min_signal;
  if (!shuffled)
    if (auto below = diagnose_chance(predictions, targets, task)) return {std::move(*below)};
  if (!plain) return {};
  if (auto baseline = diagnose_baseline(predictions, targets, task)) {
    if (!shuffled) return {std::move(*baseline)};
    return {Anomaly{.name = "labels_shuffled",
                    .where = "training targets",
                    .evidence = concat("the inputs do not tell them (", short_form(*signal, 2),
                                       " standard errors), nor does the model"),
                    .cause = "inputs and targets that are not of the same rows, such as one of them shuffled or sorted "
                             "alone, or inputs that say nothing of the targets",
                    .remedy = "check that inputs and targets match row by row",
                    .rank = Rank::labels},
            std::move(*baseline)};
  }
  if (task == Task::regression) return {};
  const bool two = task == Task::binary || predictions.size() == 2 * targets.size();
  auto noise = two ? diagnose_binary_labels(predictions, targets, rows) : diagnose_labels(predictions, targets, rows);
  return noise ? std::vector{std::move(*noise)} : std::vector<Anomaly>();
}

}  // namespace handrail::train
