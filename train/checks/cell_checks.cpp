// Cells that do not belong to their column: outliers and coded missing values.
#include <algorithm>
#include <cmath>
#include <optional>
#include <string>

#include <handrail/train/checks/internal/column_checks.h>
#include <handrail/train/checks/internal/columns/atom_checks.h>
#include <handrail/train/checks/internal/columns/unit_checks.h>
#include <handrail/train/files/text.h>
#include <handrail/train/math/coded_value.h>

namespace handrail::train {
namespace {

// ---- Outliers

struct Outliers {
  std::size_t column = 0;
  std::vector<FarCell> cells = {};
  double share = 0;  // of the variance of the column
};

std::optional<Outliers> outliers_of(const Column& column, std::size_t j, std::span<const FarCell> far,
                                    std::size_t rows) {
  constexpr double max_share = 0.05;
  for (const double bound : {18.0, 30.0, 100.0, 500.0}) {
    if (column.iqr == 0 && bound < 100) continue;
    Outliers found{.column = j};
    std::size_t near = 0;
    double squares = 0;
    for (const FarCell& cell : far) {
      if (cell.distance > bound) {
        found.cells.push_back(cell);
        squares += std::pow(cell.value - column.median, 2);
      } else if (cell.distance > bound / 6) {
        ++near;
      }
    }
    const auto count = static_cast<double>(found.cells.size()), n = static_cast<double>(rows);
    if (found.cells.empty() || 2 * near > found.cells.size() || count > max_share * n) continue;
    double others = 0;
    for (const Scalar value : column.sorted) {
      const double distance = std::abs(static_cast<double>(value) - column.median);
      if (distance <= bound * column.spread) others += distance * distance;
    }
    found.share = squares / (squares + others / static_cast<double>(column.sorted.size()) * n);
    return found;
  }
  return std::nullopt;
}

// ---- Missing values

// A number that is far out in a few columns, while many others have outliers that differ, is one of these.
std::vector<std::optional<CodedValue>> coded_values(std::span<const Column> columns, const RowScan& scan,
                                                    const std::vector<bool>& explained) {
  std::vector<std::optional<CodedValue>> coded(explained.size());
  std::size_t outlying = 0, unusual = 0;
  for (std::size_t j = 0; j < coded.size(); ++j) {
    if (explained[j]) continue;
    coded[j] = find_coded_value(columns[j].sorted);
    unusual += coded[j] && !coded[j]->is_usual;
    outlying += !coded[j] && outliers_of(columns[j], j, scan.far[j], scan.keys.size()).has_value();
  }
  if (outlying > unusual)
    for (auto& value : coded)
      if (value && !value->is_usual) value.reset();
  return coded;
}

std::vector<Anomaly> find_coded_missing(const DataTable& table, std::span<const Column> columns, const RowScan& scan,
                                        std::vector<bool>& explained) {
  std::optional<Anomaly> found[2];  // in inputs, in targets
  std::string columns_like_it[2];
  std::size_t counts[2] = {0, 0};
  const auto all = coded_values(columns, scan, explained);
  for (std::size_t j = 0; j < all.size(); ++j) {
    const auto& coded = all[j];
    if (!coded) continue;
    explained[j] = true;
    const std::size_t kind = j < table.inputs ? 0 : 1;
    constexpr std::size_t max_named = 8;
    if (++counts[kind] <= max_named)
      columns_like_it[kind] += concat(counts[kind] == 1 ? "" : ", ", j < table.inputs ? j : j - table.inputs);
    else if (counts[kind] == max_named + 1)
      columns_like_it[kind] += ", ...";
    auto& anomaly = found[kind];
    if (anomaly && (anomaly->severity == Severity::warning || !coded->is_clear)) continue;
    const double share = 100 * static_cast<double>(coded->count) / static_cast<double>(table.size());
    anomaly = Anomaly{
        .name = "coded_missing",
        .where = place_of(table, j),
        .evidence = concat("exactly ", short_form(coded->value, 7), " in ", short_form(share, 2), " % of rows, else ",
                           short_form(coded->lowest, 3), " to ", short_form(coded->highest, 3)),
        .cause = concat(short_form(coded->value, 7),
                        " stands for a missing value, and is learnt as a number: leave these rows out, or put the "
                        "median of the others in its place; nn::Standardize::fit(train, {.robust "
                        "= true}) only cuts it off"),
        .remedy = kind == 1 ? "leave these rows out" : "put the median in its place",
        .severity = coded->is_clear ? Severity::warning : Severity::note};
  }
  std::vector<Anomaly> anomalies;
  for (const std::size_t kind : {1u, 0u}) {
    if (!found[kind]) continue;
    if (counts[kind] > 1)
      found[kind]->details = concat(counts[kind], " columns have such values: ", columns_like_it[kind]);
    anomalies.push_back(std::move(*found[kind]));
  }
  return anomalies;
}

std::optional<Anomaly> find_outliers(const DataTable& table, std::span<const Column> columns, const RowScan& scan,
                                     std::size_t begin, std::size_t end, const std::vector<bool>& explained) {
  constexpr std::size_t max_named = 3;
  const bool targets = begin >= table.inputs;
  Outliers worst;
  std::vector<Index> rows;
  std::size_t count = 0;
  for (std::size_t j = begin; j < end; ++j) {
    const auto found = explained[j] ? std::nullopt : outliers_of(columns[j], j, scan.far[j], scan.keys.size());
    if (!found || found->share < 0.3) continue;
    ++count;
    for (const FarCell& cell : found->cells) rows.push_back(cell.row);
    if (found->share > worst.share) worst = *found;
  }
  if (count == 0) return std::nullopt;
  std::ranges::sort(rows);
  rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
  std::string named;
  for (std::size_t k = 0; k < std::min(max_named, rows.size()); ++k)
    named += (k == 0 ? "" : ", ") + std::to_string(rows[k]);
  if (rows.size() > max_named) named += ", ...";
  const FarCell& farthest = *std::ranges::max_element(worst.cells, {}, &FarCell::distance);
  return Anomaly{
      .name = "outliers",
      .where = concat(place_of(table, worst.column), rows.size() == 1 ? ", row " : ", rows ", named),
      .evidence =
          concat(short_form(farthest.value), "; half of all values span ", short_form(columns[worst.column].spread, 3)),
      .cause =
          targets ? "wrong values among the targets: the loss is little more than these rows"
                  : "wrong values, such as a misplaced decimal point: scaling by them squeezes all other rows together",
      .remedy = targets ? "correct these rows" : "correct them, or a robust Standardize",
      .details = concat("such values make up ", short_form(100 * worst.share, 3), " % of the variance", ", in ",
                        counted(static_cast<std::int64_t>(count), "column"),
                        "; leave these rows out, or use nn::Standardize::fit(train, {.robust = true}) for inputs"),
      .severity = worst.share > (targets ? 0.5 : 0.9) ? Severity::warning : Severity::note};
}

}  // namespace

std::vector<Anomaly> check_cells(const DataTable& table, std::span<const Column> columns, const RowScan& scan,
                                 bool regression) {
  const std::size_t end = table.inputs + (regression ? table.targets : 0);
  std::vector<bool> explained(end);
  std::vector<Anomaly> found;
  if (auto anomaly = find_mixed_units(table, columns, end, explained)) found.push_back(std::move(*anomaly));
  for (Anomaly& anomaly : find_coded_missing(table, columns, scan, explained)) found.push_back(std::move(anomaly));
  if (auto anomaly = find_filled_columns(table, columns, explained)) found.push_back(std::move(*anomaly));
  for (const auto& [begin, stop] : {std::pair{table.inputs, end}, std::pair{std::size_t{0}, table.inputs}})
    if (auto anomaly = find_outliers(table, columns, scan, begin, stop, explained))
      found.push_back(std::move(*anomaly));
  return found;
}

}  // namespace handrail::train
