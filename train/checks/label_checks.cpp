#include <handrail/train/checks/internal/label_checks.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include <handrail/core/error.h>

namespace handrail::train {
namespace {

template <class... Parts>
[[noreturn]] void bad_target(const DataPart& part, Index row, Scalar got, const Parts&... want) {
  throw DataError(concat("fit: want ", want..., "; got ", got, " in row ", row, " of the ", part.name, " set"), row);
}

// A float has every whole number up to this one.
constexpr Index max_exact_class = Index{1} << 24;

void count_class(const DataPart& part, Index row, Scalar target, std::optional<Index> classes,
                 std::vector<Index>& counts) {
  const Index limit = classes.value_or(max_exact_class);
  if (!(target >= 0 && target < static_cast<Scalar>(limit)) || target != std::floor(target)) {
    const bool from_one = classes && target == static_cast<Scalar>(limit);
    bad_target(part, row, target, "a class in [0, ", limit, ") as a whole number",
               from_one ? " (counted from 0, not from 1)" : "");
  }
  const auto c = static_cast<std::size_t>(target);
  if (c >= counts.size()) counts.resize(c + 1);
  ++counts[c];
}

void count_binary(const DataPart& part, Index row, std::span<const Scalar> targets, std::vector<Index>& counts) {
  for (const Scalar target : targets)
    if (!(target >= 0 && target <= 1)) bad_target(part, row, target, "binary targets 0 or 1");
  if (targets.size() == 1) ++counts[targets[0] > Scalar(0.5) ? 1 : 0];
}

// The first classes that never occur, as "3, 7, 8, ...".
std::string missing_classes(std::span<const Index> counts) {
  constexpr int max_listed = 5;
  std::string text;
  int listed = 0;
  for (std::size_t c = 0; c < counts.size(); ++c) {
    if (counts[c] > 0) continue;
    if (listed == max_listed) return text + ", ...";
    text += (listed++ == 0 ? "" : ", ") + std::to_string(c);
  }
  return text;
}

}  // namespace

std::vector<Index> count_labels(const DataPart& part, Task task, std::optional<Index> classes) {
  std::vector<Index> counts;
  if (task == Task::regression) return counts;
  const Index width = part.rows.dataset().target_shape().size();
  if (task == Task::multiclass && width != 1)
    fail<ShapeError>("fit: want one class per sample as the target; got targets of shape ",
                     part.rows.dataset().target_shape());
  if (task == Task::binary && width == 1) counts.resize(2);
  if (task == Task::multiclass && classes) counts.resize(static_cast<std::size_t>(*classes));
  for_batches(part, sample_rows(part), [&](std::span<const Index> rows, const Batch& batch) {
    const Scalar* target = batch.targets.data();
    for (const Index row : rows) {
      if (task == Task::multiclass)
        count_class(part, row, *target, classes, counts);
      else
        count_binary(part, row, {target, static_cast<std::size_t>(width)}, counts);
      target += width;
    }
  });
  return counts;
}

std::vector<double> balanced_weights(std::span<const Index> counts) {
  double rows = 0, classes = 0;
  for (const Index count : counts) {
    rows += static_cast<double>(count);
    classes += count > 0;
  }
  std::vector<double> weights;
  for (const Index count : counts) weights.push_back(count > 0 ? rows / (classes * static_cast<double>(count)) : 1);
  return weights;
}

std::vector<Anomaly> check_class_counts(std::span<const Index> counts) {
  constexpr Index max_ratio = 20;
  std::vector<Anomaly> found;
  if (counts.empty()) return found;
  const auto missing = std::ranges::count(counts, Index{0});
  if (missing > 0)
    found.push_back(
        {.name = "missing_class",
         .where = "training targets",
         .evidence = concat(missing, " of ", counts.size(), " classes never occur: ", missing_classes(counts)),
         .cause = counts[0] == 0 ? "labels that are counted from 1, or a set without samples of some classes"
                                 : "a model with more outputs than there are classes, or a set without samples of some "
                                   "classes",
         .remedy = "number classes from 0, with samples and an output for each"});
  const auto rarest =
      std::ranges::min_element(counts, {}, [](Index n) { return n > 0 ? n : std::numeric_limits<Index>::max(); });
  const auto commonest = std::ranges::max_element(counts);
  if (*rarest > 0 && *commonest > max_ratio * *rarest)
    found.push_back({.name = "class_imbalance",
                     .where = concat("class ", rarest - counts.begin()),
                     .evidence = concat("occurs ", *rarest, " times, class ", commonest - counts.begin(), " ",
                                        *commonest, " times"),
                     .cause = "classes of very different frequency: the rare ones contribute little to the loss",
                     .remedy = "set balance_classes, and measure the rare classes separately, as F1 does",
                     .severity = Severity::note});
  return found;
}

}  // namespace handrail::train
