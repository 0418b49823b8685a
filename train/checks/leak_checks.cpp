#include <handrail/train/checks/internal/leak_checks.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include <handrail/train/files/text.h>

namespace handrail::train {
namespace {

constexpr std::size_t min_leak_rows = 50;

// The errors among rows with one value of the column when each gets the most frequent class of the others. counts: a 0
// for each class, and so they are left.
double errors_of_equals(std::span<const std::size_t> classes, std::vector<std::size_t>& counts) {
  std::size_t most = 0, second = 0, commonest = 0;
  for (const std::size_t c : classes)
    if (++counts[c] > most) most = counts[c], commonest = c;
  for (const std::size_t c : classes)
    if (c != commonest) second = std::max(second, counts[c]);
  for (const std::size_t c : classes) counts[c] = 0;
  return static_cast<double>(classes.size() - (most > second ? most : 0));
}

// Whether the two rows before row i in the order of the column and the two behind tell its class: three of them do, or
// two with the nearest one.
bool neighbours_tell(const Column& column, std::span<const std::size_t> classes, std::size_t i) {
  std::size_t votes = 0, nearest = i;
  double distance = 0;
  for (std::size_t k = i < 2 ? 0 : i - 2; k < std::min(classes.size(), i + 3); ++k) {
    if (k == i) continue;
    votes += classes[k] == classes[i];
    const double d = std::abs(static_cast<double>(column.sorted[k]) - static_cast<double>(column.sorted[i]));
    if (nearest == i || d < distance) nearest = k, distance = d;
  }
  return votes >= 3 || (votes == 2 && classes[nearest] == classes[i]);
}

double errors_of_classes(const Column& column, std::span<const Scalar> targets, std::size_t count) {
  constexpr std::size_t many = 5;  // equal values that are a group of their own
  std::vector<std::size_t> classes, counts(count);
  for (const std::uint32_t i : column.order) classes.push_back(static_cast<std::size_t>(targets[i]));
  double errors = 0;
  for (std::size_t begin = 0; begin < classes.size();) {
    std::size_t end = begin + 1;
    while (end < classes.size() && column.sorted[end] == column.sorted[begin]) ++end;
    if (end - begin >= many)
      errors += errors_of_equals(std::span(classes).subspan(begin, end - begin), counts);
    else
      for (std::size_t i = begin; i < end; ++i) errors += neighbours_tell(column, classes, i) ? 0 : 1;
    begin = end;
  }
  return errors;
}

double closed_by_classes(const Column& column, std::span<const Scalar> targets) {
  std::vector<double> counts;
  for (const Scalar target : targets) {
    const auto c = static_cast<std::size_t>(target);
    if (c >= counts.size()) counts.resize(c + 1);
    ++counts[c];
  }
  const double baseline = static_cast<double>(targets.size()) - std::ranges::max(counts);
  if (baseline < 10) return 0;
  const double errors = errors_of_classes(column, targets, counts.size());
  return 1 - (errors + 1.645 * std::sqrt(errors) + 1.645) / baseline;
}

double closed_by_neighbours(const Column& column, std::span<const Scalar> targets) {
  const std::size_t n = targets.size();
  double mean = 0, total = 0, error = 0;
  for (const Scalar target : targets) mean += static_cast<double>(target) / static_cast<double>(n);
  const auto at = [&](std::size_t i) { return static_cast<double>(targets[column.order[i]]); };
  for (std::size_t i = 0; i < n; ++i) {
    double sum = 0, count = 0;
    for (std::size_t k = i < 2 ? 0 : i - 2; k < std::min(n, i + 3); ++k)
      if (k != i) sum += at(k), ++count;
    total += (at(i) - mean) * (at(i) - mean);
    error += std::pow(at(i) - sum / count, 2);
  }
  return total > 0 ? 1 - error / total : 0;
}

bool is_monotone(std::span<const Scalar> values) {
  const bool rises = values[1] > values[0];
  for (std::size_t i = 1; i < values.size(); ++i)
    if (rises ? !(values[i] > values[i - 1]) : !(values[i] < values[i - 1])) return false;
  return true;
}

bool numbers_rows(const Column& column) {
  const auto n = static_cast<double>(column.sorted.size());
  return column.whole && column.distinct == column.sorted.size() &&
         n * n > 2 * 20 * (column.highest() - column.lowest() + 1);
}

// How many of the rows of a class, or of the others when these are fewer, a flag tells: at most 1, with 1.6 standard
// errors and 1.6 more errors.
double closed_by_flag(std::span<const char> flags, std::span<const Scalar> targets, Scalar target_class) {
  double members = 0, wrong = 0;
  const auto n = static_cast<double>(targets.size());
  for (std::size_t i = 0; i < targets.size(); ++i) {
    members += targets[i] == target_class;
    wrong += (targets[i] == target_class) != (flags[i] != 0);
  }
  const double fewer = std::min(members, n - members), errors = std::min(wrong, n - wrong);
  return fewer < 10 ? 0 : 1 - (errors + 1.645 * std::sqrt(errors) + 1.645) / fewer;
}

// Whether a column has two values, or one frequent one amid numbers that rarely come again.
bool is_flag(const Column& column) {
  constexpr double min_share = 0.05, max_other = 0.02;
  const auto n = static_cast<double>(column.sorted.size());
  const double share = static_cast<double>(column.common_count) / n;
  if (share < min_share || share > 1 - min_share) return false;
  if (column.distinct == 2) return true;
  for (std::size_t begin = 0, end = 0; begin < column.sorted.size(); begin = end) {
    while (end < column.sorted.size() && column.sorted[end] == column.sorted[begin]) ++end;
    if (column.sorted[begin] != column.common && static_cast<double>(end - begin) > max_other * n) return false;
  }
  return true;
}

// Whether the most frequent value of a column is there, or another one, may tell a class, as a column does that is
// filled in for its rows alone.
std::optional<Anomaly> find_flag(const DataTable& table, std::span<const Column> columns) {
  constexpr double tells = 0.8, max_second = 0.6, max_classes = 20;
  if (columns[table.inputs].highest() >= max_classes) return std::nullopt;
  double best = 0, second = 0;
  std::size_t column = 0;
  Scalar told = 0;
  std::vector<char> flags(table.size());
  for (std::size_t j = 0; j < table.inputs; ++j) {
    if (!is_flag(columns[j])) continue;
    std::ranges::transform(table.column(j), flags.begin(), [&](Scalar x) { return x != columns[j].common; });
    double largest = 0;
    for (Scalar c = 0; c <= static_cast<Scalar>(columns[table.inputs].highest()); ++c) {
      const double closed = closed_by_flag(flags, table.target(), c);
      if (closed > largest && closed > best) column = j, told = c;
      largest = std::max(largest, closed);
    }
    second = std::max(second, std::min(largest, best));
    best = std::max(best, largest);
  }
  if (best < tells || second > max_second) return std::nullopt;
  return Anomaly{
      .name = "label_leak",
      .where = concat("column ", column, " of the inputs"),
      .evidence = concat("whether it is ", short_form(static_cast<double>(columns[column].common)), " tells ",
                         short_form(100 * best, 3), " % of class ", short_form(static_cast<double>(told))),
      .cause = "a column that is set, or filled in, when the class of the row is known",
      .remedy = "leave it out, unless it is known in use"};
}

}  // namespace

double closed_gap(const Column& column, std::span<const Scalar> targets, Task task) {
  if (targets.size() < 20 || column.constant()) return 0;
  return task == Task::regression ? closed_by_neighbours(column, targets) : closed_by_classes(column, targets);
}

std::optional<std::size_t> identifier_column(const DataTable& table, std::span<const Column> columns) {
  if (table.inputs < 2 || table.size() < min_leak_rows) return std::nullopt;
  std::optional<std::size_t> identifier;
  std::size_t monotone = 0;
  for (std::size_t j = 0; j < table.inputs; ++j) {
    const bool ordered = is_monotone(table.column(j));
    monotone += ordered;
    if (!identifier && (ordered || numbers_rows(columns[j]))) identifier = j;
  }
  return monotone < table.inputs ? identifier : std::nullopt;
}

std::vector<Anomaly> check_leaks(const DataTable& table, std::span<const Column> columns, Task task, bool drifts) {
  constexpr double related = 0.2, max_second = 0.9;
  const double leak = task == Task::regression ? 0.95 : 0.97;
  std::vector<Anomaly> found;
  if (table.inputs < 2 || table.targets != 1 || table.size() < min_leak_rows) return found;
  std::size_t best = 0;
  double best_gap = 0, second_gap = 0;
  for (std::size_t j = 0; j < table.inputs; ++j) {
    const double gap = closed_gap(columns[j], table.target(), task);
    second_gap = std::max(second_gap, std::min(gap, best_gap));
    if (gap > best_gap) best_gap = gap, best = j;
  }
  if (best_gap > leak && second_gap < max_second)
    found.push_back(
        {.name = "label_leak",
         .where = concat("column ", best, " of the inputs"),
         .evidence = concat("alone it closes ", short_form(100 * best_gap, 3), " % of the gap to a perfect prediction"),
         .cause = "the target, or something that is only known with it, is among the inputs",
         .remedy = "leave it out, unless it is known in use"});
  if (auto flag = found.empty() && task != Task::regression ? find_flag(table, columns) : std::nullopt)
    found.push_back(std::move(*flag));
  if (const auto identifier = identifier_column(table, columns)) {
    const double gap = closed_gap(columns[*identifier], table.target(), task);
    found.push_back({.name = "identifier_column",
                     .where = concat("column ", *identifier, " of the inputs"),
                     .evidence = is_monotone(table.column(*identifier))
                                     ? concat("changes in one direction from row to row, over ", table.size(), " rows")
                                     : concat("another whole number in each of ", table.size(), " rows"),
                     .cause =
                         "the number of the row, a time or an identifier: what is learnt from it does not hold for "
                         "new rows",
                     .remedy = "leave the column out",
                     .details = concat("alone it closes ", short_form(100 * gap, 3),
                                       " % of the gap between a constant and a perfect prediction",
                                       drifts ? "; the validation set has other values of it" : ""),
                     .severity = drifts || gap > related ? Severity::warning : Severity::note});
  }
  return found;
}

}  // namespace handrail::train
