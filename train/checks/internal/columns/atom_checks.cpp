#include <handrail/train/checks/internal/columns/atom_checks.h>

#include <algorithm>
#include <cmath>
#include <string>

#include <handrail/train/checks/internal/columns/unit_checks.h>
#include <handrail/train/files/text.h>
#include <handrail/train/math/robust.h>

namespace handrail::train {
namespace {

// A run of equal values of a column, and the others.
struct Atom {
  std::size_t begin = 0, count = 0;  // in the sorted values
  std::size_t next = 0;              // how often the commonest of the others occurs
};

// The commonest value among those from `begin` to `end` of the sorted ones.
std::size_t commonest_between(std::span<const Scalar> sorted, std::size_t begin, std::size_t end) {
  std::size_t most = 0, run = 0;
  for (std::size_t i = begin; i < end; ++i) {
    run = i > begin && sorted[i] == sorted[i - 1] ? run + 1 : 1;
    most = std::max(most, run);
  }
  return most;
}

Atom commonest_value(const Column& column) {
  const auto begin = std::ranges::lower_bound(column.sorted, column.common) - column.sorted.begin();
  Atom atom{.begin = static_cast<std::size_t>(begin), .count = column.common_count};
  atom.next = std::max(commonest_between(column.sorted, 0, atom.begin),
                       commonest_between(column.sorted, atom.begin + atom.count, column.sorted.size()));
  return atom;
}

double share_of(std::size_t count, const Column& column) {
  return static_cast<double>(count) / static_cast<double>(column.sorted.size());
}

// Whether the value is where a fill with the mean or the median of the others puts it.
bool is_central(const Column& column, const Atom& atom) {
  constexpr double max_errors = 3;
  const auto n = static_cast<double>(column.sorted.size()), count = static_cast<double>(atom.count);
  const double others = n - count, value = static_cast<double>(column.common);
  const double mean = (column.mean * n - value * count) / others;
  const double squares = column.sd * column.sd * n - (value - column.mean) * (value - column.mean) * count -
                         (mean - column.mean) * (mean - column.mean) * others;
  const double below = static_cast<double>(atom.begin) / others;
  return std::abs(value - mean) < max_errors * std::sqrt(squares) / others ||
         std::abs(below - 0.5) < max_errors * 0.5 / std::sqrt(others);
}

enum class Fill { none, some, central };

Fill fill_of(const Column& column) {
  constexpr std::size_t min_count = 10, min_others = 50, min_distinct = 20;
  constexpr double min_share = 0.05, clear_share = 0.2, min_side = 0.1;
  const std::size_t others = column.sorted.size() - column.common_count;
  if (column.common_count < min_count || share_of(column.common_count, column) < min_share || others < min_others ||
      column.distinct <= min_distinct)
    return Fill::none;
  const Atom atom = commonest_value(column);
  const auto below = static_cast<double>(atom.begin), all = static_cast<double>(others);
  if (atom.count < 5 * atom.next || below < min_side * all || all - below < min_side * all) return Fill::none;
  return share_of(atom.count, column) >= clear_share && is_central(column, atom) ? Fill::central : Fill::some;
}

// The share of cells that have the value of the row before, when nearly all equal cells of the column are such ones.
double share_filled_forward(const DataTable& table, const Column& column, std::size_t j) {
  constexpr double min_distinct = 0.2, min_adjacent = 0.9;
  constexpr std::size_t min_rows = 50;
  const auto values = table.column(j);
  const auto n = static_cast<double>(table.size()), equal = n - static_cast<double>(column.distinct);
  if (table.size() < min_rows || static_cast<double>(column.distinct) < min_distinct * n) return 0;
  if (is_in_order(values)) return 0;
  double repeats = 0;
  for (std::size_t i = 1; i < values.size(); ++i) repeats += values[i] == values[i - 1];
  return repeats < min_adjacent * equal ? 0 : repeats / n;
}

bool repeats_rows(const DataTable& table, std::size_t j) {
  constexpr std::size_t min_columns = 2;
  const auto values = table.column(j);
  double repeats = 0, others = 0;  // of the cell, and of the other columns then
  for (std::size_t i = 1; i < values.size(); ++i) {
    if (values[i] != values[i - 1]) continue;
    ++repeats;
    bool all = true;
    for (std::size_t k = 0; k < table.inputs && all; ++k) all = table.column(k)[i] == table.column(k)[i - 1];
    others += all;
  }
  return table.inputs < min_columns || 2 * others > repeats;
}

}  // namespace

std::optional<Anomaly> find_filled_columns(const DataTable& table, std::span<const Column> columns,
                                           std::vector<bool>& explained) {
  constexpr double min_forward = 0.2;
  std::optional<Anomaly> found;
  std::size_t count = 0;
  for (std::size_t j = 0; j < table.inputs; ++j) {
    if (explained[j]) continue;
    const Column& column = columns[j];
    const Fill fill = fill_of(column);
    const double forward = fill == Fill::none ? share_filled_forward(table, column, j) : 0;
    if (fill == Fill::none && (forward < min_forward || repeats_rows(table, j))) continue;
    explained[j] = true;
    ++count;
    const Severity severity = fill == Fill::central ? Severity::warning : Severity::note;
    if (found && (found->severity == Severity::warning || severity == Severity::note)) continue;
    const double share = fill == Fill::none ? forward : share_of(column.common_count, column);
    const std::string percent = short_form(100 * share, 2);
    found = Anomaly{.name = "coded_missing",
                    .where = place_of(table, j),
                    .evidence = fill == Fill::none
                                    ? concat(percent, " % of the values are that of the row before, others differ")
                                    : concat("exactly ", short_form(static_cast<double>(column.common), 3), " in ",
                                             percent, " % of the rows, amid values that differ"),
                    .cause =
                        "missing values that were filled in, or a sensor that was stuck, which the model learns as if "
                        "they had been measured: find where they come from",
                    .remedy = "add a 0/1 column that tells which",
                    .severity = severity};
  }
  if (found && count > 1) found->details = concat(count, " columns are like it");
  return found;
}

std::optional<Anomaly> find_clipped_columns(const DataTable& table, std::span<const Column> columns) {
  constexpr std::size_t min_count = 10, min_between = 6, max_columns = 32;
  constexpr double min_share = 0.05;
  std::size_t count = 0, varying = 0, first = 0, shown[2] = {0, 0};
  for (std::size_t j = 0; j < table.inputs; ++j) {
    const Column& column = columns[j];
    varying += column.distinct > 2;
    if (column.distinct < min_between + 2) continue;
    const auto sorted = std::span(column.sorted);
    const auto low = static_cast<std::size_t>(std::ranges::upper_bound(sorted, sorted.front()) - sorted.begin());
    const auto top = static_cast<std::size_t>(std::ranges::lower_bound(sorted, sorted.back()) - sorted.begin());
    const std::size_t high = sorted.size() - top, fewer = std::min(low, high);
    if (fewer < min_count || share_of(fewer, column) < min_share) continue;
    if (fewer < 2 * commonest_between(sorted, low, top)) continue;
    if (count++ == 0) first = j, shown[0] = low, shown[1] = high;
  }
  if (count == 0 || 2 * count < varying) return std::nullopt;
  const Column& column = columns[first];
  return Anomaly{.name = "truncated_columns",
                 .where = place_of(table, first),
                 .evidence = concat("exactly ", short_form(column.lowest(), 3), " in ",
                                    short_form(100 * share_of(shown[0], column), 2), " % of the rows, exactly ",
                                    short_form(column.highest(), 3), " in ",
                                    short_form(100 * share_of(shown[1], column), 2), " %"),
                 .cause = "values that were clipped to a range, or a sensor at its limits: what lay outside is lost",
                 .remedy = "clip wider, or not at all",
                 .details = concat(count, " of ", table.inputs, " columns are like it"),
                 .severity = count >= 2 && table.inputs <= max_columns ? Severity::warning : Severity::note};
}

}  // namespace handrail::train
