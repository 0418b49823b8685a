// Cells that do not belong to their column: outliers, coded missing values, and values in another unit.
#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <string>

#include <handrail/train/checks/internal/column_checks.h>
#include <handrail/train/files/text.h>
#include <handrail/train/math/coded_value.h>

namespace handrail::train {
namespace {

// "column 3 of the inputs"; targets come behind the inputs.
std::string place_of(const DataTable& table, std::size_t j) {
  const bool input = j < table.inputs;
  return concat("column ", input ? j : j - table.inputs, " of the ", input ? "inputs" : "targets");
}

// ---- Units

// The values below and above a gap in the logarithms of absolute values.
struct Clusters {
  double low, high;        // their means
  double low_sd, high_sd;  // their standard deviations
  double low_middle, high_middle;
  std::size_t low_count, high_count;
  std::size_t between;  // in the middle third of the gap
};

// Splits ascending values where the variance within both parts is smallest.
Clusters split(std::span<const double> values) {
  const std::size_t n = values.size();
  double sum = 0, squares = 0;
  for (const double v : values) sum += v, squares += v * v;
  double left = 0, left_squares = 0, best = -1;
  Clusters found{};
  for (std::size_t i = 1; i < n; ++i) {
    left += values[i - 1];
    left_squares += values[i - 1] * values[i - 1];
    const auto a = static_cast<double>(i), b = static_cast<double>(n - i);
    const double low = left / a, high = (sum - left) / b, between = a * b * (high - low) * (high - low);
    if (between <= best) continue;
    best = between;
    found = {.low = low,
             .high = high,
             .low_sd = std::sqrt(std::max(0.0, left_squares / a - low * low)),
             .high_sd = std::sqrt(std::max(0.0, (squares - left_squares) / b - high * high)),
             .low_middle = values[i / 2],
             .high_middle = values[i + (n - i) / 2],
             .low_count = i,
             .high_count = n - i,
             .between = 0};
  }
  const double third = (found.high - found.low) / 3;
  const auto from = std::ranges::lower_bound(values, found.low + third);
  found.between = static_cast<std::size_t>(std::ranges::upper_bound(values, found.high - third) - from);
  return found;
}

// The ratio of two common units that is nearest to `ratio` by their logarithms.
double unit_ratio(double ratio) {
  constexpr std::array ratios{2.2046, 2.54, 3.2808, 4.1868, 10.0, 12.0,   16.0,    24.0,
                              25.4,   60.0, 100.0,  1000.0, 1e4,  3600.0, 86400.0, 1e6};
  return *std::ranges::min_element(ratios, {}, [&](double r) { return std::abs(std::log(ratio / r)); });
}

// The ratio of the units of a column that is in two; nothing for any other column.
std::optional<double> mixed_ratio(const Column& column, Clusters& found) {
  constexpr std::size_t min_rows = 50, min_cluster = 10;
  const std::size_t n = column.sorted.size();
  if (n < min_rows || column.distinct < 20) return std::nullopt;
  if (column.lowest() > 0 && column.highest() < 2 * column.lowest()) return std::nullopt;
  std::vector<double> logs;
  for (const Scalar value : column.sorted)
    if (value != 0) logs.push_back(std::log(std::abs(static_cast<double>(value))));
  if (logs.size() < min_rows || static_cast<double>(logs.size()) < 0.9 * static_cast<double>(n)) return std::nullopt;
  if (column.lowest() <= 0) std::ranges::sort(logs);
  found = split(logs);
  const std::size_t smaller = std::min(found.low_count, found.high_count);
  if (smaller < min_cluster || static_cast<double>(smaller) < 0.02 * static_cast<double>(n)) return std::nullopt;
  const double distance = found.high - found.low, sd = std::max(found.low_sd, found.high_sd);
  if (!(distance > 4 * sd) || 10 * found.between > smaller) return std::nullopt;
  if (!(std::min(found.low_sd, found.high_sd) * 1.5 > sd)) return std::nullopt;
  const double ratio = std::exp(found.high_middle - found.low_middle), unit = unit_ratio(ratio);
  const double error =
      1.25 * sd * std::sqrt(1.0 / static_cast<double>(found.low_count) + 1.0 / static_cast<double>(found.high_count));
  if (error > 0.15 || std::abs(std::log(ratio / unit)) > std::max(0.03, 2.5 * error)) return std::nullopt;
  return unit;
}

// Whether the rows of the larger values are told by another column, as those of a natural group are. A column that is
// larger in these rows by the same ratio is in two units too, and does not count.
bool is_group(const DataTable& table, std::span<const Column> columns, std::size_t j, const Clusters& found,
              double ratio) {
  constexpr double max_correlation = 0.5, tolerance = 1.5;
  const double bound = std::exp((found.low + found.high) / 2);
  std::vector<char> high(table.size());
  double count = 0;
  for (std::size_t i = 0; i < high.size(); ++i) {
    high[i] = std::abs(static_cast<double>(table.column(j)[i])) > bound;
    count += high[i];
  }
  const auto n = static_cast<double>(table.size()), share = count / n;
  for (std::size_t k = 0; k < columns.size(); ++k) {
    if (k == j || columns[k].constant()) continue;
    double sum = 0, sizes[2] = {0, 0};
    for (std::size_t i = 0; i < high.size(); ++i) {
      const auto value = static_cast<double>(table.column(k)[i]);
      sum += high[i] ? value - columns[k].mean : 0;
      sizes[high[i] ? 1 : 0] += std::abs(value);
    }
    const double other = sizes[1] / count / (sizes[0] / (n - count));
    if (other < tolerance * ratio && ratio < tolerance * other) continue;
    if (std::abs(sum / n) > max_correlation * columns[k].sd * std::sqrt(share * (1 - share))) return true;
  }
  return false;
}

std::optional<Anomaly> find_mixed_units(const DataTable& table, std::span<const Column> columns, std::size_t end,
                                        std::vector<bool>& explained) {
  std::optional<Anomaly> anomaly;
  std::size_t count = 0;
  for (std::size_t j = 0; j < end; ++j) {
    Clusters found{};
    const auto ratio = mixed_ratio(columns[j], found);
    if (!ratio || is_group(table, columns, j, found, *ratio)) continue;
    explained[j] = true;
    if (count++ > 0) continue;
    anomaly = Anomaly{.name = "mixed_units",
                      .where = place_of(table, j),
                      .evidence = concat(found.high_count, " values ", short_form(*ratio, 4),
                                         " times as large as the other ", found.low_count),
                      .cause = "rows in two units, such as metres and millimetres",
                      .remedy = "convert the rows to one unit"};
  }
  if (anomaly && count > 1) anomaly->details = concat(count, " columns are like it");
  return anomaly;
}

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
  std::size_t counts[2] = {0, 0};
  const auto all = coded_values(columns, scan, explained);
  for (std::size_t j = 0; j < all.size(); ++j) {
    const auto& coded = all[j];
    if (!coded) continue;
    explained[j] = true;
    const std::size_t kind = j < table.inputs ? 0 : 1;
    ++counts[kind];
    auto& anomaly = found[kind];
    if (anomaly && (anomaly->severity == Severity::warning || !coded->is_clear)) continue;
    const double share = 100 * static_cast<double>(coded->count) / static_cast<double>(table.size());
    anomaly = Anomaly{
        .name = "coded_missing",
        .where = place_of(table, j),
        .evidence = concat("exactly ", short_form(coded->value, 7), " in ", short_form(share, 2), " % of rows, else ",
                           short_form(coded->lowest, 3), " to ", short_form(coded->highest, 3)),
        .cause = concat(short_form(coded->value, 7),
                        " stands for a missing value, and is learnt as a number; besides leaving rows out, put the "
                        "median in its place, or use nn::Standardize::fit(train, {.robust = true})"),
        .remedy = kind == 1 ? "leave these rows out" : "a robust Standardize",
        .severity = coded->is_clear ? Severity::warning : Severity::note};
  }
  std::vector<Anomaly> anomalies;
  for (const std::size_t kind : {1u, 0u}) {
    if (!found[kind]) continue;
    if (counts[kind] > 1) found[kind]->details = concat(counts[kind], " columns are like it");
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
  for (const auto& [begin, stop] : {std::pair{table.inputs, end}, std::pair{std::size_t{0}, table.inputs}})
    if (auto anomaly = find_outliers(table, columns, scan, begin, stop, explained))
      found.push_back(std::move(*anomaly));
  return found;
}

}  // namespace handrail::train
