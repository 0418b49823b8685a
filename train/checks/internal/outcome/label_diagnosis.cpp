#include <handrail/train/checks/internal/outcome/label_diagnosis.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>
#include <vector>

#include <handrail/core/error.h>
#include <handrail/core/system/finite.h>
#include <handrail/train/checks/internal/association.h>
#include <handrail/train/checks/internal/outcome/classified.h>
#include <handrail/train/checks/internal/recoding.h>
#include <handrail/train/files/text.h>
#include <handrail/train/math/robust.h>

namespace handrail::train {
namespace {

// The rank of the label of row i among the classes that were not predicted: 0 for the second choice, 1 for the last.
// Classes of equal logits share the best of their ranks.
double rank_of_label(const Classified& data, Index i) {
  const Scalar* row = data.row(i);
  const Scalar own = row[data.label(i)];
  const auto above = std::count_if(row, row + data.classes, [own](Scalar logit) { return logit > own; });
  return static_cast<double>(std::max<Index>(1, above) - 1) / static_cast<double>(data.classes - 2);
}

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

// The class that is predicted for each row, or the prediction of a regression. Empty for predictions of another shape.
std::vector<double> predicted_targets(const Tensor& predictions, const Tensor& targets, Task task) {
  std::vector<double> result;
  const Index rows = targets.size(), width = rows > 0 ? predictions.size() / rows : 0;
  if (width == 0 || predictions.size() != rows * width || (task != Task::multiclass && width != 1)) return result;
  for (Index i = 0; i < rows; ++i) {
    const Scalar* row = predictions.data() + i * width;
    const auto best = static_cast<double>(std::max_element(row, row + width) - row);
    result.push_back(task == Task::multiclass ? best : task == Task::binary ? (*row > 0 ? 1.0 : 0.0) : double{*row});
  }
  return result;
}

}  // namespace

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

namespace {

// How far the numbers of the rows of one class are above those of the others, in standard errors (Mann and Whitney
// 1947).
double rank_signal(const Tensor& predictions, Index column, const Tensor& targets, Scalar target) {
  const Index rows = targets.size(), width = predictions.size() / rows;
  std::vector<double> own, other;
  for (Index i = 0; i < rows; ++i)
    (targets.data()[i] == target ? own : other).push_back(static_cast<double>(predictions.data()[i * width + column]));
  if (own.empty() || other.empty()) return 0;
  std::ranges::sort(other);
  const auto m = static_cast<double>(own.size()), n = static_cast<double>(other.size());
  double above = 0;  // ties count half
  for (const double x : own)
    above += static_cast<double>((std::ranges::lower_bound(other, x) - other.begin()) +
                                 (std::ranges::upper_bound(other, x) - other.begin())) /
             (2 * m * n);
  return (above - 0.5) / std::sqrt((1 / m + 1 / n) / 12);
}

}  // namespace

bool tells_targets(const Tensor& predictions, const Tensor& targets, Task task, std::optional<double> other) {
  constexpr double min_errors = 3, min_together = 2;
  const std::vector<double> predicted = predicted_targets(predictions, targets, task);
  if (predicted.empty()) return true;  // it is not known
  if (first_non_finite(predictions.span()) >= 0) return false;
  const std::vector<double> wanted(targets.span().begin(), targets.span().end());
  const double agrees = agreement(predicted, wanted, task);
  if (agrees > min_errors || (other && (agrees + *other) / std::numbers::sqrt2 > min_together)) return true;
  const Index classes = task == Task::binary ? 1 : predictions.size() / targets.size();
  const double limit = min_errors + 0.3 * std::log(static_cast<double>(classes));  // the largest of several
  for (Index c = 0; task != Task::regression && c < classes; ++c)
    if (rank_signal(predictions, c, targets, static_cast<Scalar>(task == Task::binary ? 1 : c)) > limit) return true;
  return false;
}

std::optional<Anomaly> diagnose_shift(const Tensor& predictions, const Tensor& targets, Task task,
                                      std::span<const Index> rows) {
  constexpr double none = 3, clear = 5;
  constexpr std::size_t min_rows = 50;
  const std::vector<double> predicted = predicted_targets(predictions, targets, task);
  if (predicted.size() != rows.size() || rows.size() < min_rows || first_non_finite(predictions.span()) >= 0)
    return std::nullopt;
  // How well the predictions agree with the targets of the rows `shift` behind.
  const auto agrees = [&](std::ptrdiff_t shift) {
    std::vector<double> a, b;
    for (std::ptrdiff_t i = std::max<std::ptrdiff_t>(0, -shift);
         i < std::ssize(rows) - std::max<std::ptrdiff_t>(0, shift); ++i) {
      const auto here = static_cast<std::size_t>(i), there = static_cast<std::size_t>(i + shift);
      if (rows[there] != rows[here] + shift) continue;
      a.push_back(predicted[here]);
      b.push_back(static_cast<double>(targets.data()[there]));
    }
    return a.size() < min_rows ? 0 : agreement(a, b, task);
  };
  const double own = agrees(0), before = agrees(-1), behind = agrees(1), other = std::max(before, behind);
  if (own > none || other < clear) return std::nullopt;
  return Anomaly{
      .name = "labels_shifted",
      .where = "validation targets",
      .evidence = concat("the model predicts the target of the row ", before > behind ? "before" : "behind",
                         ", not that of its row"),
      .cause = "validation targets that are shifted by a row against their inputs, such as by a header line",
      .remedy = "read input and target of a row together",
      .details = concat("they agree by ", short_form(other, 3),
                        " standard errors more than by chance, with those of their own row by ", short_form(own, 2))};
}

}  // namespace handrail::train
