#include <handrail/train/checks/internal/layout_checks.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <handrail/core/error.h>
#include <handrail/train/checks/internal/association.h>
#include <handrail/train/files/text.h>
#include <handrail/train/math/correlation.h>

namespace handrail::train {
namespace {

constexpr double unknown = std::numeric_limits<double>::quiet_NaN();

// The target of every row of the data set, NaN where it is not known.
class KnownTargets {
 public:
  KnownTargets(const DataTable& table, std::span<const RowKey> keys)
      : targets_(keys.empty() ? 0 : static_cast<std::size_t>(keys.back().row) + 1) {
    std::ranges::fill(targets_, unknown);
    for (const RowKey& key : keys) targets_[static_cast<std::size_t>(key.row)] = static_cast<double>(key.target);
    for (std::size_t i = 0; i < table.size(); ++i)
      if (table.rows[i] < std::ssize(targets_)) targets_[static_cast<std::size_t>(table.rows[i])] = table.target()[i];
  }
  double at(Index row) const {
    return row >= 0 && row < std::ssize(targets_) ? targets_[static_cast<std::size_t>(row)] : unknown;
  }

 private:
  std::vector<double> targets_;
};

// How the numbers of a table with `columns` columns came into the rows of the program.
struct CellLayout {
  Index columns, data_rows;
  Index row_length = 0;  // numbers between the beginnings of two rows; 0: the table was stored by columns

  // The row and the column that the number in this place belongs to.
  std::pair<Index, Index> origin(Index row, Index column) const {
    if (row_length == 0) {
      const Index at = row * columns + column;
      return {at % data_rows, at / data_rows};
    }
    const Index at = row * row_length + column;
    return {at / columns, at % columns};
  }
};

double signal_of(const Described& train, const KnownTargets& known, const CellLayout& layout, Task task) {
  constexpr std::size_t max_columns = 64, min_numbers = 50;
  const auto all = static_cast<std::size_t>(layout.columns), taken = std::min(all, max_columns);
  std::vector<std::size_t> place(all, taken);  // of a column among those that are looked at
  for (std::size_t k = 0; k < taken; ++k) place[k * all / taken] = k;
  std::vector<std::vector<double>> values(taken), targets(taken);
  for (Index j = 0; j < layout.columns; ++j) {
    const auto column = train.table.column(static_cast<std::size_t>(j));
    for (std::size_t i = 0; i < column.size(); ++i) {
      const auto [row, origin] = layout.origin(train.table.rows[i], j);
      const std::size_t k = place[static_cast<std::size_t>(origin)];
      const double target = k < taken ? known.at(row) : unknown;
      if (std::isnan(target)) continue;
      values[k].push_back(static_cast<double>(column[i]));
      targets[k].push_back(target);
    }
  }
  double largest = 0;
  for (std::size_t k = 0; k < taken; ++k) {
    if (values[k].size() < min_numbers) continue;
    const TargetSeries series = target_series(targets[k], task);
    largest = std::max(largest, association(values[k], series) - association_by_chance(taken, series));
  }
  return largest;
}

}  // namespace

ColumnSignal column_signal(const Described& train, std::span<const RowKey> keys, Index shift, Task task) {
  constexpr std::size_t max_columns = 256, min_rows = 3;
  constexpr double same = 0.98;
  const KnownTargets known(train.table, keys);
  std::vector<std::size_t> rows, varying;
  std::vector<double> targets, values, all;
  for (std::size_t i = 0; i < train.table.size(); ++i)
    if (const double target = known.at(train.table.rows[i] + shift); !std::isnan(target)) {
      rows.push_back(i);
      targets.push_back(target);
    }
  for (std::size_t j = 0; j < train.table.inputs; ++j)
    if (!train.columns[j].constant()) varying.push_back(j);
  if (rows.size() < min_rows || varying.empty()) return {};
  const TargetSeries series = target_series(targets, task);
  const std::size_t taken = std::min(varying.size(), max_columns);
  double largest = 0;
  for (std::size_t k = 0; k < taken; ++k) {
    const auto column = train.table.column(varying[k * varying.size() / taken]);
    values.clear();
    for (const std::size_t i : rows) values.push_back(static_cast<double>(column[i]));
    if (shift != 0 && std::abs(correlation(values, targets)) > same) continue;
    all.push_back(association(values, series));
    largest = std::max(largest, all.back());
  }
  return {largest - association_by_chance(taken, series), share_of_noise(all, series)};
}

std::optional<Anomaly> find_shifted_cells(const Described& train, std::span<const RowKey> keys, Task task) {
  constexpr double none = 3, clear = 6, same = 0.98;
  constexpr std::size_t max_columns = 256, min_shifted = 2;
  const DataTable& table = train.table;
  if (table.targets != 1 || table.inputs < 2 * min_shifted || table.inputs > max_columns) return std::nullopt;
  const KnownTargets known(table, keys);
  std::vector<std::size_t> rows;
  std::vector<double> own, before, values;
  for (std::size_t i = 0; i < table.size(); ++i) {
    const double previous = known.at(table.rows[i] - 1);
    if (std::isnan(previous)) continue;
    rows.push_back(i);
    own.push_back(static_cast<double>(table.target()[i]));
    before.push_back(previous);
  }
  if (rows.size() < 50) return std::nullopt;
  const TargetSeries of_own = target_series(own, task), of_before = target_series(before, task);
  const double chance = association_by_chance(table.inputs, of_own);
  std::size_t shifted = 0, last_shifted = 0, first_own = table.inputs;
  for (std::size_t j = 0; j < table.inputs; ++j) {
    if (train.columns[j].constant()) continue;
    values.clear();
    for (const std::size_t i : rows) values.push_back(static_cast<double>(table.column(j)[i]));
    const double here = association(values, of_own) - chance, there = association(values, of_before) - chance;
    if (here > clear) first_own = std::min(first_own, j);
    if (here >= none || there < clear || std::abs(correlation(values, before)) > same) continue;
    ++shifted;
    last_shifted = j;
  }
  if (shifted < min_shifted || first_own == table.inputs || last_shifted > first_own) return std::nullopt;
  return Anomaly{
      .name = "scrambled_inputs",
      .where = concat("columns 0 to ", last_shifted),
      .evidence =
          concat(shifted, " of them tell the target of the row before; columns from ", first_own, " on tell their own"),
      .cause =
          "a header, or a cell, too many at the beginning of what is read: all numbers stand further on than they "
          "belong, and the last of a row at the beginning of the next",
      .remedy = "skip the header"};
}

std::optional<Anomaly> find_sorted_cells(const DataTable& table) {
  constexpr std::size_t min_columns = 4, min_rows = 50;
  constexpr double min_share = 0.99;
  if (table.inputs < min_columns || table.size() < min_rows || table.input_shape.rank() != 1) return std::nullopt;
  std::vector<char> rising(table.size(), 1), falling(table.size(), 1);
  for (std::size_t j = 1; j < table.inputs; ++j) {
    const auto before = table.column(j - 1), column = table.column(j);
    for (std::size_t i = 0; i < column.size(); ++i) {
      rising[i] = rising[i] && column[i] >= before[i];
      falling[i] = falling[i] && column[i] <= before[i];
    }
  }
  double up = 0, down = 0;  // rows of equal numbers are both
  for (std::size_t i = 0; i < table.size(); ++i) {
    up += rising[i] && !falling[i];
    down += falling[i] && !rising[i];
  }
  const double share = std::max(up, down) / static_cast<double>(table.size());
  if (share < min_share) return std::nullopt;
  return Anomaly{.name = "scrambled_inputs",
                 .where = "training rows",
                 .evidence = concat("their ", table.inputs, " numbers are in ", up > down ? "as" : "des",
                                    "cending order, in ", short_form(100 * share, 3), " % of the rows"),
                 .cause = "a sort along the wrong axis: a number is in the column of its rank, not of what it measures",
                 .remedy = "sort rows, not numbers in them"};
}

std::optional<Anomaly> check_layout(const Described& train, std::span<const RowKey> keys, double own_signal,
                                    Task task) {
  constexpr double none = 3, clear = 6;
  constexpr Index max_stride_error = 3;
  const DataTable& table = train.table;
  const auto columns = static_cast<Index>(table.inputs);
  if (own_signal >= none || columns < 2 || table.targets != 1) return std::nullopt;
  const KnownTargets known(table, keys);
  CellLayout best{.columns = columns, .data_rows = table.data_rows, .row_length = 0};
  double largest = signal_of(train, known, best, task);
  for (Index error = -max_stride_error; error <= max_stride_error; ++error) {
    const CellLayout layout{.columns = columns, .data_rows = table.data_rows, .row_length = columns + error};
    if (error == 0 || layout.row_length < 1) continue;
    if (const double signal = signal_of(train, known, layout, task); signal > largest) largest = signal, best = layout;
  }
  if (largest < clear) return std::nullopt;
  const bool by_columns = best.row_length == 0;
  return Anomaly{
      .name = "scrambled_inputs",
      .where = "training inputs",
      .evidence = by_columns ? std::string("read as stored by columns, they tell the targets; as they are, they do not")
                             : concat("rows begin ", best.row_length, " numbers apart, but have ", columns),
      .cause = by_columns ? "a table that is stored by columns and was reshaped: its numbers are in other rows and "
                            "columns than they belong to"
                          : "a wrong stride or number of columns where the table is read: each row begins in another "
                            "column, so that inputs do not belong to their targets",
      .remedy = by_columns ? "transpose it instead" : concat("begin row i at number ", columns, " * i"),
      .details = concat("put back so, they tell the targets by ", short_form(largest, 3),
                        " standard errors more than by chance; as they are, by ", short_form(own_signal, 2))};
}

}  // namespace handrail::train
