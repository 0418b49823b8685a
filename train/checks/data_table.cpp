#include <handrail/train/checks/internal/data_table.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include <handrail/core/system/finite.h>
#include <handrail/train/data/internal/hash.h>

namespace handrail::train {
namespace {

Index numbers_in_row(const Dataset& data) { return data.input_shape().size() + data.target_shape().size(); }

// At most so many rows that they have `max_numbers` numbers; of wide data up to twice as many, for 200 rows.
Rows limited_rows(const DataPart& part, Index max_numbers, Index max_rows) {
  const Index width = std::max<Index>(1, numbers_in_row(part.rows.dataset()));
  const Index of_wide = std::clamp<Index>(2 * max_numbers / width, 1, 200);
  return sample_rows(part, std::clamp<Index>(max_numbers / width, of_wide, std::max(of_wide, max_rows)));
}

}  // namespace

DataTable read_table(const DataPart& part) {
  constexpr Index max_numbers = 100'000, max_rows = 8192;
  const Dataset& data = part.rows.dataset();
  DataTable table{.name = part.name,
                  .all_rows = part.rows.size(),
                  .data_rows = data.size(),
                  .input_shape = data.input_shape(),
                  .inputs = static_cast<std::size_t>(data.input_shape().size()),
                  .targets = static_cast<std::size_t>(data.target_shape().size())};
  const std::size_t width = table.inputs + table.targets;
  std::vector<Scalar> by_row;
  for_batches(part, limited_rows(part, max_numbers, max_rows), [&](std::span<const Index> rows, const Batch& batch) {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const auto x = batch.inputs.span().subspan(i * table.inputs, table.inputs);
      const auto y = batch.targets.span().subspan(i * table.targets, table.targets);
      if (!std::ranges::all_of(x, is_finite<Scalar>) || !std::ranges::all_of(y, is_finite<Scalar>)) continue;
      table.rows.push_back(rows[i]);
      by_row.insert(by_row.end(), x.begin(), x.end());
      by_row.insert(by_row.end(), y.begin(), y.end());
    }
  });
  table.values.resize(by_row.size());
  for (std::size_t i = 0; i < table.size(); ++i)
    for (std::size_t j = 0; j < width; ++j) table.values[j * table.size() + i] = by_row[i * width + j];
  return table;
}

Column describe(std::span<const Scalar> values) {
  Column column;
  std::vector<std::pair<Scalar, std::uint32_t>> pairs(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) pairs[i] = {values[i], static_cast<std::uint32_t>(i)};
  std::ranges::sort(pairs);
  column.sorted.reserve(pairs.size());
  column.order.reserve(pairs.size());
  column.whole = true;
  double sum = 0, squares = 0, fourths = 0;
  std::size_t run = 0;
  for (const auto& [value, position] : pairs) {
    const bool repeats = !column.sorted.empty() && column.sorted.back() == value;
    run = repeats ? run + 1 : 1;
    column.distinct += repeats ? 0 : 1;
    if (run > column.common_count) column.common_count = run, column.common = value;
    column.whole = column.whole && value == std::floor(value);
    column.sorted.push_back(value);
    column.order.push_back(position);
    sum += static_cast<double>(value);
  }
  const auto n = static_cast<double>(values.size());
  column.mean = sum / n;
  for (const Scalar value : values) {
    const double square = std::pow(static_cast<double>(value) - column.mean, 2);
    squares += square;
    fourths += square * square;
  }
  if (column.distinct > 1) {
    column.sd = std::sqrt(squares / n);
    column.kurtosis = std::max(3.0, n * fourths / (squares * squares));
  }
  const auto at = [&](std::size_t i) { return static_cast<double>(column.sorted[i]); };
  const std::size_t last = values.size() - 1;
  column.median = at(last / 2);
  column.spread = column.iqr = at(3 * last / 4) - at(last / 4);
  if (column.iqr == 0 && column.distinct > 1) {
    std::vector<double> distances;
    for (const Scalar value : values)
      if (const double distance = std::abs(static_cast<double>(value) - column.median); distance > 0)
        distances.push_back(distance);
    const auto middle = distances.begin() + std::ssize(distances) / 2;
    std::nth_element(distances.begin(), middle, distances.end());
    column.spread = *middle;
  }
  return column;
}

std::vector<Column> describe(const DataTable& table) {
  std::vector<Column> columns;
  for (std::size_t j = 0; j < table.inputs + table.targets; ++j) columns.push_back(describe(table.column(j)));
  return columns;
}

RowScan scan_rows(const DataPart& part, const DataTable& table, std::span<const Column> columns) {
  constexpr Index max_numbers = Index{1} << 21;
  constexpr double min_distance = 5;  // spreads
  constexpr std::size_t max_far = 4096;
  const std::size_t width = table.inputs + table.targets;
  std::vector<Scalar> medians(width), bounds(width);
  for (std::size_t j = 0; j < width; ++j) {
    medians[j] = static_cast<Scalar>(columns[j].median);
    bounds[j] = static_cast<Scalar>(min_distance * columns[j].spread);
  }
  RowScan scan{.far = std::vector<std::vector<FarCell>>(width)};
  const auto look = [&](Index row, std::span<const Scalar> values, std::size_t first) {
    for (std::size_t k = 0; k < values.size(); ++k) {
      const std::size_t j = first + k;
      const Scalar distance = std::abs(values[k] - medians[j]);
      if (!(distance > bounds[j]) || bounds[j] == 0 || scan.far[j].size() == max_far) continue;
      if (is_finite(values[k]))
        scan.far[j].push_back({row, static_cast<double>(values[k]), static_cast<double>(distance) / columns[j].spread});
    }
  };
  const Rows rows = limited_rows(part, max_numbers, part.rows.size());
  scan.keys.reserve(static_cast<std::size_t>(rows.size()));
  for_batches(part, rows, [&](std::span<const Index> numbers, const Batch& batch) {
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      const auto x = batch.inputs.span().subspan(i * table.inputs, table.inputs);
      const auto y = batch.targets.span().subspan(i * table.targets, table.targets);
      look(numbers[i], x, 0);
      look(numbers[i], y, table.inputs);
      const std::uint64_t hash = hash_values(x);
      scan.keys.push_back({numbers[i], hash, join_hashes(hash, hash_values(y)), y.empty() ? Scalar(0) : y.front()});
    }
  });
  return scan;
}

}  // namespace handrail::train
