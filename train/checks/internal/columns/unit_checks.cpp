#include <handrail/train/checks/internal/columns/unit_checks.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <string>

#include <handrail/train/files/text.h>
#include <handrail/train/math/robust.h>

namespace handrail::train {
namespace {

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

// The logarithms of the absolute values of ascending values without zeros, in ascending order.
std::vector<double> logarithms(std::span<const Scalar> values) {
  const auto size = [](Scalar value) { return std::abs(static_cast<double>(value)); };
  const auto end_of_negative = std::ranges::lower_bound(values, Scalar(0)),
             begin_of_positive = std::ranges::upper_bound(values, 0);
  std::vector<double> logs(values.size());
  const auto end = std::ranges::merge(std::reverse_iterator(end_of_negative), std::reverse_iterator(values.begin()),
                                      begin_of_positive, values.end(), logs.begin(), {}, size, size)
                       .out;
  logs.erase(end, logs.end());
  for (double& value : logs) value = std::log(std::abs(value));
  return logs;
}

// The ratio of two common units that is nearest to `ratio` by their logarithms.
double unit_ratio(double ratio) {
  constexpr std::array ratios{2.2046, 2.54, 3.2808, 4.1868, 10.0, 12.0,   16.0,    24.0,
                              25.4,   60.0, 100.0,  1000.0, 1e4,  3600.0, 86400.0, 1e6};
  return *std::ranges::min_element(ratios, {}, [&](double r) { return std::abs(std::log(ratio / r)); });
}

// The ratio of the units of a column that is in two; nothing for any other column.
std::optional<double> mixed_ratio(const Column& column, Clusters& found) {
  constexpr std::size_t min_rows = 50, min_cluster = 10, min_distinct = 10;
  const std::size_t n = column.sorted.size();
  if (n < min_rows || column.distinct < 20) return std::nullopt;
  if (column.lowest() > 0 && column.highest() < 2 * column.lowest()) return std::nullopt;
  const std::vector<double> logs = logarithms(column.sorted);
  if (logs.size() < min_rows || static_cast<double>(logs.size()) < 0.9 * static_cast<double>(n)) return std::nullopt;
  found = split(logs);
  const std::size_t smaller = std::min(found.low_count, found.high_count);
  if (smaller < min_cluster || static_cast<double>(smaller) < 0.02 * static_cast<double>(n)) return std::nullopt;
  // A few values far from the others, as next to 0 in a sum of answers, are no amounts in another unit.
  const std::span<const double> all(logs);
  if (count_different(all.first(found.low_count)) < min_distinct ||
      count_different(all.subspan(found.low_count)) < min_distinct)
    return std::nullopt;
  const double distance = found.high - found.low, sd = std::max(found.low_sd, found.high_sd);
  if (!(distance > 3.5 * sd) || 4 * found.between > smaller) return std::nullopt;
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

// Two scales of a temperature: one is `factor` times the other, and `offset`.
struct Degrees {
  double factor, offset;
  const char* names;
};

// Where a column falls into two clusters, and the higher one, converted, has the mean and the deviation of the lower.
// Returns the bound between the two.
std::optional<double> bound_of_degrees(const Column& column, const Degrees& scale, double min_distance) {
  constexpr double min_share = 0.05;
  constexpr double max_shift = 0.2, max_stretch = 1.5;  // tails lie across the bound
  const auto n = static_cast<double>(column.sorted.size());
  if (column.sorted.size() < 100 || column.distinct < 20) return std::nullopt;
  const std::vector<double> values(column.sorted.begin(), column.sorted.end());
  const Clusters found = split(values);
  const double deviation = std::sqrt((found.low_sd * found.low_sd + found.high_sd * found.high_sd) / 2);
  if (static_cast<double>(std::min(found.low_count, found.high_count)) < min_share * n ||
      !(found.high - found.low > min_distance * deviation))
    return std::nullopt;
  const double mean = (found.high - scale.offset) / scale.factor, stretch = found.high_sd / scale.factor / found.low_sd;
  if (std::abs(mean - found.low) > max_shift * found.low_sd || stretch > max_stretch || stretch < 1 / max_stretch)
    return std::nullopt;
  return (found.low + found.high) / 2;
}

// Temperatures of two columns or more that are in two scales in the same rows, or of one column that falls far apart.
std::optional<Anomaly> find_mixed_degrees(const DataTable& table, std::span<const Column> columns, std::size_t end,
                                          std::vector<bool>& explained) {
  constexpr double same_rows = 0.85;
  constexpr double min_distance = 3, far_apart = 10;  // in deviations (Ashman et al. 1994 want 2)
  for (const Degrees& scale :
       {Degrees{1.8, 32, "degrees Celsius and Fahrenheit"}, Degrees{1, 273.15, "degrees Celsius and kelvins"}}) {
    std::vector<std::size_t> like;
    std::vector<char> high(table.size());
    for (std::size_t j = 0; j < end; ++j) {
      const auto bound = bound_of_degrees(columns[j], scale, min_distance);
      if (!bound) continue;
      double same = 0;
      for (std::size_t i = 0; i < table.size(); ++i) {
        const bool above = static_cast<double>(table.column(j)[i]) > *bound;
        if (like.empty()) high[i] = above;
        same += above == (high[i] != 0);
      }
      if (same >= same_rows * static_cast<double>(table.size())) like.push_back(j);
    }
    if (like.empty() || (like.size() == 1 && !bound_of_degrees(columns[like[0]], scale, far_apart))) continue;
    for (const std::size_t j : like) explained[j] = true;
    return Anomaly{
        .name = "mixed_units",
        .where = place_of(table, like[0]),
        .evidence = concat("rows in two groups, alike when one is converted; ", counted(std::ssize(like), "column")),
        .cause = concat("rows in ", scale.names),
        .remedy = "convert the rows to one unit"};
  }
  return std::nullopt;
}

}  // namespace

std::string place_of(const DataTable& table, std::size_t column) {
  const bool input = column < table.inputs;
  return concat("column ", input ? column : column - table.inputs, " of the ", input ? "inputs" : "targets");
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
  return anomaly ? anomaly : find_mixed_degrees(table, columns, end, explained);
}

}  // namespace handrail::train
