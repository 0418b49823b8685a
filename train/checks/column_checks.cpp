#include <handrail/train/checks/internal/column_checks.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <string>
#include <unordered_map>

#include <handrail/train/data/internal/hash.h>
#include <handrail/train/checks/internal/columns/atom_checks.h>
#include <handrail/train/checks/internal/layout_checks.h>
#include <handrail/train/files/text.h>

namespace handrail::train {
namespace {

// "column 3", or "columns 3, 5, 9, ...", of the inputs.
std::string list_columns(std::span<const std::size_t> columns) {
  constexpr std::size_t max_listed = 3;
  std::string text = columns.size() == 1 ? "column " : "columns ";
  for (std::size_t k = 0; k < std::min(max_listed, columns.size()); ++k)
    text += (k == 0 ? "" : ", ") + std::to_string(columns[k]);
  return text + (columns.size() > max_listed ? ", ..." : "") + " of the inputs";
}

bool is_half(std::size_t count, const DataTable& table) { return count >= 2 && 2 * count >= table.inputs; }

std::optional<Anomaly> find_large_offset(const DataTable& table, std::span<const Column> columns) {
  constexpr double note_ratio = 1e4, warning_ratio = 1e5;
  double worst = 0;
  std::size_t at = 0;
  for (std::size_t j = 0; j < table.inputs; ++j) {
    const double ratio = columns[j].sd > 0 ? std::abs(columns[j].mean) / columns[j].sd : 0;
    if (ratio > worst) worst = ratio, at = j;
  }
  if (worst < note_ratio) return std::nullopt;
  return Anomaly{
      .name = "large_offset",
      .where = concat("column ", at, " of the inputs"),
      .evidence =
          concat("values about ", short_form(columns[at].mean), " that vary by ", short_form(columns[at].sd, 3)),
      .cause = concat("a large constant in every value, such as the year 1970 in a time: a float keeps only ",
                      short_form(std::max(0.0, 7.2 - std::log10(worst)), 2), " digits of what varies"),
      .remedy = "subtract it in double first",
      .severity = worst > warning_ratio ? Severity::warning : Severity::note};
}

std::optional<Anomaly> find_constant_columns(const DataTable& table, std::span<const Column> columns) {
  std::vector<std::size_t> constant;
  for (std::size_t j = 0; j < table.inputs; ++j) {
    if (!columns[j].constant()) continue;
    const Scalar value = columns[j].common;
    std::size_t background = 0;
    for (std::size_t k = 0; k < table.inputs; ++k)
      background += !columns[k].constant() && columns[k].common == value && columns[k].common_count > table.size() / 4;
    if (background == 0 || 4 * background < table.inputs) constant.push_back(j);
  }
  if (constant.empty() || table.size() < 2) return std::nullopt;
  return Anomaly{.name = "constant_columns",
                 .where = list_columns(constant),
                 .evidence = concat(constant.size(), " of ", table.inputs, " columns have one value, the first ",
                                    short_form(static_cast<double>(columns[constant[0]].common))),
                 .cause = "features that were not filled in, or that were rounded away",
                 .remedy = "compute them anew, or leave them out",
                 .severity = is_half(constant.size(), table) ? Severity::warning : Severity::note};
}

std::optional<Anomaly> find_duplicate_columns(const DataTable& table, std::span<const Column> columns) {
  constexpr std::size_t min_rows = 10;
  std::unordered_map<std::uint64_t, std::size_t> first;
  std::vector<std::size_t> repeated;
  std::size_t original = 0;
  for (std::size_t j = 0; j < table.inputs; ++j) {
    if (table.size() - columns[j].common_count < min_rows) continue;
    const auto [found, is_new] = first.emplace(hash_values(table.column(j)), j);
    if (is_new || !std::ranges::equal(table.column(j), table.column(found->second))) continue;
    if (repeated.empty()) original = found->second;
    repeated.push_back(j);
  }
  if (repeated.empty()) return std::nullopt;
  return Anomaly{.name = "duplicate_columns",
                 .where = list_columns(repeated),
                 .evidence = concat(repeated.size(), repeated.size() == 1 ? " column is" : " columns are",
                                    " equal to another, the first to column ", original),
                 .cause = "a feature that was added twice",
                 .remedy = "leave the copies out",
                 .severity = is_half(repeated.size(), table) ? Severity::warning : Severity::note};
}

// All columns may have two values because they are yes and no, or because fractions were cut off: nothing but the
// program tells which. Indicators of one category have exactly one 1 in each row, which fractions have not.
std::optional<Anomaly> find_two_values(const DataTable& table, std::span<const Column> inputs) {
  constexpr std::size_t min_columns = 4;
  constexpr double min_share = 0.05;
  const auto n = static_cast<double>(table.size());
  if (inputs.size() < min_columns) return std::nullopt;
  for (const Column& column : inputs)
    if (!column.whole || column.distinct != 2 || column.highest() - column.lowest() != 1 ||
        static_cast<double>(column.common_count) > (1 - min_share) * n)
      return std::nullopt;
  std::vector<double> sums(table.size());
  for (std::size_t j = 0; j < inputs.size(); ++j)
    for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += static_cast<double>(table.column(j)[i]);
  if (std::ranges::all_of(sums, [&](double sum) { return sum == sums[0]; })) return std::nullopt;
  return Anomaly{.name = "truncated_columns",
                 .where = concat("all ", inputs.size(), " columns"),
                 .evidence = concat("only the numbers ", short_form(inputs[0].lowest()), " and ",
                                    short_form(inputs[0].highest()), ", both often"),
                 .cause = "answers of yes and no, or fractions that were cut off by an integer division",
                 .remedy = "if these were measured, compute them as floats",
                 .severity = Severity::note};
}

// told: whether the inputs tell the targets. Columns of two or three values may well be natural then.
std::optional<Anomaly> find_truncated_columns(const DataTable& table, std::span<const Column> columns, bool told) {
  constexpr std::size_t natural = 4;
  const auto inputs = columns.first(table.inputs);
  const bool all_whole = std::ranges::all_of(inputs, &Column::whole);
  const bool any_negative = std::ranges::any_of(inputs, [](const Column& column) { return column.lowest() < 0; });
  const std::size_t fewest = !told && all_whole && any_negative ? 2 : natural;
  std::vector<std::size_t> truncated;
  for (std::size_t j = 0; j < table.inputs; ++j) {
    const Column& column = columns[j];
    if (column.whole && column.distinct >= fewest && column.distinct <= 12 && column.common == 0 &&
        (column.distinct < natural || (column.lowest() < 0 && column.highest() > 0)) &&
        column.highest() - column.lowest() <= 20)
      truncated.push_back(j);
  }
  if (table.size() < 30) return std::nullopt;
  if (truncated.empty()) return find_two_values(table, inputs);
  const Column& column = columns[truncated[0]];
  return Anomaly{
      .name = "truncated_columns",
      .where = list_columns(truncated),
      .evidence = concat(
          "only the whole numbers ", short_form(column.lowest()), " to ", short_form(column.highest()), ", 0 in ",
          short_form(100 * static_cast<double>(column.common_count) / static_cast<double>(table.size()), 2),
          " % of the rows"),
      .cause = "fractions that were cut off, by an integer division or a conversion to int",
      .remedy = "compute them as floats",
      .severity = is_half(truncated.size(), table) ? Severity::warning : Severity::note};
}

// ---- Categories

// The share of the variance of y that the values of x explain, each by its own mean, and that a parabola in x explains.
struct Explained {
  double by_value = 0, by_parabola = 0;
};
Explained explained(const Column& column, std::span<const double> y) {
  const auto n = static_cast<double>(y.size());
  double mean = 0;
  for (const double v : y) mean += v / n;
  double total = 0, between = 0;
  for (const double v : y) total += (v - mean) * (v - mean);
  // x and x^2 without their means, orthogonal to each other.
  double xy = 0, xx = 0, x3 = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    const double x = static_cast<double>(column.sorted[i]) - column.mean;
    xy += x * y[column.order[i]];
    xx += x * x;
    x3 += x * x * x;
  }
  double qy = 0, qq = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    const double x = static_cast<double>(column.sorted[i]) - column.mean, q = x * x - xx / n - x3 / xx * x;
    qy += q * y[column.order[i]];
    qq += q * q;
  }
  for (std::size_t i = 0; i < y.size();) {
    std::size_t end = i;
    double sum = 0;
    for (; end < y.size() && column.sorted[end] == column.sorted[i]; ++end) sum += y[column.order[end]] - mean;
    between += sum * sum / static_cast<double>(end - i);
    i = end;
  }
  if (!(total > 0)) return {};
  return {between / total, (xy * xy / xx + (qq > 0 ? qy * qy / qq : 0)) / total};
}

std::optional<Anomaly> find_coded_category(const DataTable& table, std::span<const Column> columns, bool regression) {
  constexpr std::size_t max_candidates = 16;  // more of them are pixels or words
  constexpr double chance_errors = 7, clear = 0.1, small = 0.02;
  std::vector<std::size_t> candidates;
  for (std::size_t j = 0; j < table.inputs; ++j) {
    const Column& column = columns[j];
    if (column.whole && column.distinct >= 4 && column.distinct <= 30 && table.size() >= 8 * column.distinct)
      candidates.push_back(j);
  }
  if (table.targets != 1 || candidates.size() > max_candidates) return std::nullopt;
  const Column& target = columns[table.inputs];
  for (const std::size_t j : candidates) {
    const Column& column = columns[j];
    // What the values explain beyond the parabola by chance has a chi squared distribution with these degrees of
    // freedom.
    const double freedom = static_cast<double>(column.distinct) - 3, rows = static_cast<double>(table.size());
    const double chance = (freedom + chance_errors * std::sqrt(2 * freedom)) / rows;
    for (int c = 0; c < 10; ++c) {
      if (!regression && c > target.highest()) break;
      std::vector<double> y;
      for (const Scalar t : table.target())
        y.push_back(regression ? static_cast<double>(t) : t == static_cast<Scalar>(c));
      const auto [by_value, by_parabola] = explained(column, y);
      const double more = by_value - by_parabola;
      if (more > chance && (more - freedom / rows > clear || more - freedom / rows > 2 * by_parabola + small))
        return Anomaly{
            .name = "coded_category",
            .where = list_columns(std::array{j}),
            .evidence = concat("its ", column.distinct, " values one by one tell ", short_form(100 * by_value, 2),
                               " % of the target, as a quantity ", short_form(100 * by_parabola, 2), " %"),
            .cause =
                "numbers that stand for categories, whose order means nothing: give each category a column of its own, "
                "1 where it applies and 0 elsewhere",
            .remedy = "a 0/1 column a value",
            .severity = Severity::note};
      if (regression) break;
    }
  }
  return std::nullopt;
}

}  // namespace

std::vector<Anomaly> check_columns(const DataTable& table, std::span<const Column> columns, bool regression,
                                   std::optional<double> signal) {
  std::vector<Anomaly> found;
  const auto add = [&](std::optional<Anomaly> anomaly) {
    if (anomaly) found.push_back(std::move(*anomaly));
  };
  add(find_large_offset(table, columns));
  add(find_constant_columns(table, columns));
  add(find_duplicate_columns(table, columns));
  constexpr double min_signal = 3;
  add(find_truncated_columns(table, columns, !signal || *signal >= min_signal));
  add(find_clipped_columns(table, columns));
  add(find_sorted_cells(table));
  add(find_coded_category(table, columns, regression));
  return found;
}

}  // namespace handrail::train
