#include <handrail/train/checks/internal/target_checks.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <string>
#include <unordered_map>

#include <Eigen/Cholesky>
#include <Eigen/Core>

#include <handrail/train/files/text.h>
#include <handrail/train/math/robust.h>

namespace handrail::train {
namespace {

// How often each value occurs, in ascending order of the values.
std::vector<std::size_t> counts_of(const Column& column) {
  std::vector<std::size_t> counts;
  for (std::size_t i = 0; i < column.sorted.size(); ++i)
    if (i > 0 && column.sorted[i] == column.sorted[i - 1])
      ++counts.back();
    else
      counts.push_back(1);
  return counts;
}

// How often the rarest value occurs for each time that the commonest does.
double balance(const Column& column) {
  const auto counts = counts_of(column);
  return static_cast<double>(std::ranges::min(counts)) / static_cast<double>(std::ranges::max(counts));
}

std::optional<Anomaly> find_loss_mismatch(const Column& target, Task task) {
  constexpr double min_balance = 0.02, classes_balance = 0.1, three_balance = 0.5;
  const std::size_t n = target.sorted.size();
  const double classes = target.highest() + 1;
  if (task == Task::regression && target.whole && target.lowest() == 0 && classes >= 2 && classes <= 30 &&
      static_cast<double>(target.distinct) == classes && n >= 5 * target.distinct && balance(target) > min_balance)
    return Anomaly{.name = "loss_mismatch",
                   .where = "training targets",
                   .evidence = concat("a regression on the whole numbers 0 to ", target.highest()),
                   .cause = classes == 2
                                ? "classes that are learnt as numbers"
                                : "class numbers that are learnt as quantities, as if class 2 lay between 1 and 3",
                   .remedy = classes == 2 ? "binary_cross_entropy_with_logits, if they are classes"
                                          : "cross_entropy, if they are classes",
                   .severity = classes > 2 && balance(target) > classes_balance ? Severity::warning : Severity::note};
  if (task != Task::binary || target.distinct < 3 || (target.distinct == 3 && balance(target) < three_balance) ||
      target.distinct > 31 || n < 5 * target.distinct)
    return std::nullopt;
  const auto steps = static_cast<double>(target.distinct - 1);
  for (const Scalar value : target.sorted)
    if (std::abs(static_cast<double>(value) * steps - std::round(static_cast<double>(value) * steps)) > 1e-4)
      return std::nullopt;
  return Anomaly{.name = "loss_mismatch",
                 .where = "training targets",
                 .evidence = concat("binary targets from 0 to 1 in ", target.distinct, " equal steps"),
                 .cause = "class numbers that were divided to fit between 0 and 1",
                 .remedy = "cross_entropy, if they are classes",
                 .severity = balance(target) > classes_balance ? Severity::warning : Severity::note};
}

std::optional<Anomaly> find_truncated_targets(const DataTable& table, std::span<const Column> columns) {
  const Column& target = columns[table.inputs];
  const bool most_are_zero = 5 * target.common_count > 4 * table.size();
  if (!target.whole || target.distinct < (most_are_zero ? 3u : 4u) || target.distinct > 12 || target.lowest() >= 0 ||
      target.highest() <= 0 || target.common != 0 || target.highest() - target.lowest() > 20 || table.size() < 30)
    return std::nullopt;
  if (std::ranges::all_of(columns.first(table.inputs), &Column::whole)) return std::nullopt;
  return Anomaly{.name = "truncated_targets",
                 .where = "training targets",
                 .evidence = concat("only the whole numbers ", short_form(target.lowest()), " to ",
                                    short_form(target.highest()), ", most often 0"),
                 .cause = "fractions that were cut off, by an integer division or a conversion to int",
                 .remedy = "compute the targets as floating-point numbers"};
}

// What a linear model says of the rows whose target is `value`, when it is fitted to the others.
struct Expected {
  double explained = 0;  // the share of the variance of the other rows
  double distance = 0;   // of the mean prediction from `value`, in standard deviations of the other targets
};
Expected expect(const DataTable& table, std::span<const Column> columns, Scalar value) {
  constexpr Index max_columns = 32;
  const auto d = std::min<Index>(max_columns, static_cast<Index>(table.inputs));
  const auto target = table.target();
  Eigen::MatrixXd gram = Eigen::MatrixXd::Identity(d + 1, d + 1) * 1e-3;
  Eigen::VectorXd moments = Eigen::VectorXd::Zero(d + 1), x(d + 1), repeated = Eigen::VectorXd::Zero(d + 1);
  double sum = 0, squares = 0, others = 0, rows = 0;
  for (std::size_t i = 0; i < table.size(); ++i) {
    for (Index j = 0; j < d; ++j) {
      const Column& column = columns[static_cast<std::size_t>(j)];
      x[j] = column.sd > 0
                 ? (static_cast<double>(table.column(static_cast<std::size_t>(j))[i]) - column.mean) / column.sd
                 : 0;
    }
    x[d] = 1;
    if (target[i] == value) {
      repeated += x;
      ++rows;
      continue;
    }
    const auto y = static_cast<double>(target[i]);
    gram.selfadjointView<Eigen::Lower>().rankUpdate(x);
    moments += y * x;
    sum += y;
    squares += y * y;
    ++others;
  }
  const double total = squares - sum * sum / others;
  if (!(total > 0) || others < 4 * static_cast<double>(d + 1)) return {};
  const Eigen::VectorXd weights = gram.selfadjointView<Eigen::Lower>().llt().solve(moments);
  return {(weights.dot(moments) - sum * sum / others) / total,
          std::abs(weights.dot(repeated) / rows - static_cast<double>(value)) / std::sqrt(total / others)};
}

std::optional<Anomaly> find_repeated_target(const DataTable& table, std::span<const Column> columns) {
  const Column& target = columns[table.inputs];
  const auto n = static_cast<double>(table.size()), count = static_cast<double>(target.common_count);
  const std::size_t others = table.size() - target.common_count;
  if (others < 25 || 2 * (target.distinct - 1) < others || count < 0.03 * n) return std::nullopt;
  auto counts = counts_of(target);
  std::ranges::sort(counts, std::greater{});
  if (counts.size() < 2 || counts[0] < 3 * counts[1]) return std::nullopt;
  const Expected expected = expect(table, columns, target.common);
  const bool other = expected.explained > 0.3 && expected.distance > 0.5;
  if (!other && counts[0] < 10 * counts[1]) return std::nullopt;
  return Anomaly{
      .name = "repeated_target",
      .where = "training targets",
      .evidence = concat(short_form(static_cast<double>(target.common)), " in ", short_form(100 * count / n, 2),
                         " % of the rows", other ? ", against their inputs" : ", while others differ"),
      .cause = "a value that stands for a missing target, or at which targets were cut off",
      .remedy = "leave the rows out if it is not known",
      .severity = other ? Severity::warning : Severity::note};
}

}  // namespace

std::vector<Anomaly> check_targets(const DataTable& table, std::span<const Column> columns, Task task, bool plain) {
  std::vector<Anomaly> found;
  const auto add = [&](std::optional<Anomaly> anomaly) {
    if (anomaly) found.push_back(std::move(*anomaly));
  };
  if (table.size() < 10 || table.targets == 0) return found;
  const auto targets = columns.subspan(table.inputs);
  if (std::ranges::all_of(targets, &Column::constant)) {
    add(Anomaly{.name = "constant_targets",
                .where = "training targets",
                .evidence = concat("all are ", short_form(targets[0].lowest()), ", in ", table.size(), " rows"),
                .cause = "targets that were not filled in, the wrong column, or rows of one class only",
                .remedy = "look how the targets are made"});
    return found;
  }
  if (table.targets != 1) return found;
  if (plain) add(find_loss_mismatch(targets[0], task));
  if (task != Task::regression) return found;
  add(find_truncated_targets(table, columns));
  add(find_repeated_target(table, columns));
  return found;
}

namespace {

// Whether equal inputs are neighbours, so that there are hardly more runs of them than different ones, while the rows
// are not sorted by a column, which has the same effect. keys: in the order of rows.
bool are_blocks(const DataTable& table, std::span<const RowKey> keys, double different) {
  constexpr double max_more = 1.1;
  double runs = 1;
  for (std::size_t i = 1; i < keys.size(); ++i) runs += keys[i].inputs != keys[i - 1].inputs;
  if (runs > max_more * different) return false;
  for (std::size_t j = 0; j < table.inputs; ++j)
    if (const auto column = table.column(j); column.front() != column.back() && is_in_order(column)) return false;
  return true;
}

}  // namespace

std::optional<Anomaly> check_conflicts(const DataTable& table, std::span<const Column> columns,
                                       std::span<const RowKey> keys, Task task) {
  constexpr double min_share = 0.02, hopeless_share = 0.8;
  if (table.targets != 1 || keys.size() < 10 || columns[table.inputs].constant()) return std::nullopt;
  std::vector<RowKey> sorted(keys.begin(), keys.end());
  std::ranges::stable_sort(sorted, {}, [](const RowKey& key) { return std::pair(key.inputs, key.target); });
  const double tolerance = task == Task::regression ? 0.5 * columns[table.inputs].sd : 0;
  double conflicts = 0, different = 0;
  std::map<Scalar, double> classes;
  const RowKey* first = nullptr;
  const RowKey* second = nullptr;
  for (std::size_t i = 0; i < sorted.size();) {
    std::size_t end = i;
    while (end < sorted.size() && sorted[end].inputs == sorted[i].inputs) ++end;
    ++different;
    // The commonest target of these rows: of a regression their median.
    std::size_t right = 0;
    const Scalar middle = sorted[i + (end - i) / 2].target;
    for (std::size_t a = i, b = i; b < end; ++b) {
      if (sorted[b].target != sorted[a].target) a = b;
      right = std::max(right, b - a + 1);
    }
    if (task == Task::regression)
      right = static_cast<std::size_t>(std::count_if(
          sorted.begin() + static_cast<std::ptrdiff_t>(i), sorted.begin() + static_cast<std::ptrdiff_t>(end),
          [&](const RowKey& key) { return std::abs(static_cast<double>(key.target - middle)) <= tolerance; }));
    if (right < end - i && !first) first = &sorted[i], second = &sorted[end - 1];
    conflicts += static_cast<double>(end - i - right);
    i = end;
  }
  if (task != Task::regression)
    for (const RowKey& key : keys) ++classes[key.target];
  double commonest = 0;
  for (const auto& [target, count] : classes) commonest = std::max(commonest, count);
  const auto n = static_cast<double>(keys.size());
  const double share = conflicts / n;
  // Rows of few categories are equal by chance.
  std::size_t most_distinct = 0;
  for (const Column& column : columns.first(table.inputs)) most_distinct = std::max(most_distinct, column.distinct);
  const bool one_tells = keys.size() == table.size() && static_cast<double>(most_distinct) > 0.8 * different;
  // Blocks of equal rows that follow each other, as from one buffer that is filled again for each block.
  const bool blocks = different >= 20 && 2 * different <= n && are_blocks(table, keys, different);
  const bool rich = (different > 0.5 * n && (2 * most_distinct > table.size() || table.inputs >= 20)) ||
                    (different > 0.2 * n && one_tells);
  const double others = n - commonest;
  const bool hopeless =
      !classes.empty() && different < 0.1 * n && others > 0.3 * n && conflicts > hopeless_share * others;
  if (conflicts < 3 || !(((rich || blocks) && share >= min_share) || hopeless)) return std::nullopt;
  return Anomaly{
      .name = "conflicting_labels",
      .where = concat("rows ", std::min(first->row, second->row), " and ", std::max(first->row, second->row)),
      .evidence = concat("equal inputs, different targets; ", short_form(100 * share, 2), " % of the rows are such"),
      .cause = blocks ? "each run of rows has the inputs of one of them, as from a reader that keeps a pointer to one "
                        "buffer and fills it again"
               : rich ? "rows that were entered twice with different labels"
                      : concat("inputs that hardly tell the rows apart: there are only ", short_form(different, 7),
                               " different ones"),
      .remedy = blocks ? "copy each row before reading the next"
                : rich ? "correct these labels"
                       : "add inputs that tell rows apart"};
}

}  // namespace handrail::train
