#include <handrail/train/checks/internal/columns/exact_leaks.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <Eigen/Cholesky>
#include <Eigen/Core>

#include <handrail/train/files/text.h>

namespace handrail::train {
namespace {

// The groups of equal values of a column.
class ValueGroups {
 public:
  explicit ValueGroups(const std::vector<Scalar>& cells) : values_(cells) {
    std::ranges::sort(values_);
    values_.erase(std::unique(values_.begin(), values_.end()), values_.end());
    rows_.resize(values_.size());
    group_.reserve(cells.size());
    for (const Scalar cell : cells) {
      group_.push_back(static_cast<std::size_t>(std::ranges::lower_bound(values_, cell) - values_.begin()));
      ++rows_[group_.back()];
    }
  }
  double rows_a_group() const { return static_cast<double>(group_.size()) / static_cast<double>(values_.size()); }
  // Whether the mean targets of groups of two rows or more are a line of their values.
  bool obey(std::span<const double> targets) const {
    constexpr double min_groups = 4, min_groups_of_line = 8, max_chi = 0.005, min_explained = 0.05;
    std::vector<double> sums(values_.size());
    double within = 0;
    for (std::size_t i = 0; i < group_.size(); ++i) {
      sums[group_[i]] += targets[i];
      within += targets[i] * targets[i];
    }
    double count = 0, rows = 0, x = 0, y = 0, xx = 0, xy = 0, yy = 0, own = 0;
    for (std::size_t g = 0; g < values_.size(); ++g) {
      const auto value = static_cast<double>(values_[g]);
      const double n = rows_[g], sum = sums[g], mean = sum / n;
      within -= n * mean * mean;
      if (n < 2) continue;
      ++count, rows += n;
      x += n * value, y += sum, yy += n * mean * mean;
      xx += n * value * value, xy += sum * value;
      own += n * (mean - value) * (mean - value);
    }
    if (count < min_groups || rows <= count) return false;
    const double variance = within / (rows - count);
    const double vx = xx - x * x / rows, vy = yy - y * y / rows, cxy = xy - x * y / rows;
    if (!(variance > 0) || !(vx > 0) || vy < min_explained * (vy + within)) return false;
    if (own < max_chi * count * variance) return true;
    return count >= min_groups_of_line && vy - cxy * cxy / vx < max_chi * (count - 2) * variance;
  }

 private:
  std::vector<Scalar> values_;      // distinct, ascending
  std::vector<double> rows_;        // how many have each value
  std::vector<std::size_t> group_;  // of each row: the number of its value
};

// The targets, then for each of these classes whether a target is it; of all tables one behind the other.
std::vector<std::vector<double>> tested_targets(std::span<const DataTable* const> tables, Scalar classes) {
  std::vector<std::vector<double>> series(1);
  for (const DataTable* table : tables)
    series[0].insert(series[0].end(), table->target().begin(), table->target().end());
  for (Scalar c = 0; c < classes; ++c) {
    std::vector<double>& is_class = series.emplace_back(series[0].size());
    std::ranges::transform(series[0], is_class.begin(), [c](double target) { return target == double{c} ? 1.0 : 0.0; });
  }
  return series;
}

}  // namespace

std::optional<Anomaly> find_encoded_target(const Described& train, const Described* validation, Task task) {
  constexpr std::size_t min_distinct = 4;
  constexpr double few_rows = 10, max_classes = 10;
  const DataTable& table = train.table;
  if (table.targets != 1 || table.size() < 50) return std::nullopt;
  const Column& target = train.columns[table.inputs];
  const bool by_class = task == Task::multiclass && target.highest() < max_classes;
  std::vector<const DataTable*> tables{&table};
  if (validation && validation->table.input_shape == table.input_shape) tables.push_back(&validation->table);
  const auto series = tested_targets(tables, by_class ? static_cast<Scalar>(target.highest()) + 1 : 0);
  for (std::size_t j = 0; j < table.inputs; ++j) {
    if (train.columns[j].distinct < min_distinct || 3 * train.columns[j].distinct > 2 * table.size()) continue;
    std::vector<Scalar> cells(table.column(j).begin(), table.column(j).end());
    const ValueGroups groups(cells);
    std::optional<ValueGroups> of_both;
    if (tables.size() > 1) {
      cells.insert(cells.end(), tables[1]->column(j).begin(), tables[1]->column(j).end());
      of_both.emplace(cells);
    }
    const double rows = groups.rows_a_group();
    const bool is_mean = std::ranges::any_of(series, [&](const std::vector<double>& targets) {
      return (rows <= few_rows && groups.obey(targets)) || (of_both && of_both->obey(targets));
    });
    if (!is_mean) continue;
    return Anomaly{
        .name = "label_leak",
        .where = concat("column ", j, " of the inputs"),
        .evidence = concat("each value is the mean target of its rows, ", short_form(rows, 2), " on average"),
        .cause = "a category that was replaced by the mean of its targets, the row's own among them",
        .remedy = "take means from other rows"};
  }
  return std::nullopt;
}

std::optional<Anomaly> find_exact_sum(const Described& train, Task task) {
  constexpr std::size_t max_columns = 64, max_rows = 1000, min_terms = 2, max_terms = 4;
  constexpr double exact = 1e-6, small = 1e-3;
  const DataTable& table = train.table;
  std::vector<std::size_t> varying;
  for (std::size_t j = 0; j < table.inputs; ++j)
    if (train.columns[j].sd > 0) varying.push_back(j);
  const std::size_t rows = std::min(max_rows, table.size());
  if (table.targets != 1 || varying.size() < 3 || varying.size() > max_columns || rows < 5 * varying.size() ||
      rows < 50 || !(train.columns[table.inputs].sd > 0))
    return std::nullopt;
  const auto n = static_cast<Index>(rows), d = static_cast<Index>(varying.size());
  Eigen::MatrixXd x(n, d);
  Eigen::VectorXd y(n);
  const auto fill = [&](auto&& to, std::size_t j) {
    const auto values = table.column(j);
    for (Index i = 0; i < n; ++i)
      to[i] = (static_cast<double>(values[static_cast<std::size_t>(i) * table.size() / rows]) - train.columns[j].mean) /
              train.columns[j].sd;
    to.array() -= to.mean();
  };
  for (Index k = 0; k < d; ++k) fill(x.col(k), varying[static_cast<std::size_t>(k)]);
  fill(y, table.inputs);
  Eigen::MatrixXd gram = Eigen::MatrixXd::Identity(d, d) * (1e-9 * static_cast<double>(rows));
  gram.selfadjointView<Eigen::Lower>().rankUpdate(x.transpose());
  const Eigen::VectorXd weights = gram.selfadjointView<Eigen::Lower>().llt().solve(x.transpose() * y);
  if (!((y - x * weights).squaredNorm() < exact * y.squaredNorm())) return std::nullopt;
  std::string named;
  std::size_t terms = 0;
  for (Index k = 0; k < d; ++k) {
    if (std::abs(weights[k]) < small * weights.cwiseAbs().maxCoeff()) continue;
    named += concat(terms++ == 0 ? "" : ", ", varying[static_cast<std::size_t>(k)]);
  }
  if (terms < min_terms || terms > max_terms || terms == varying.size()) return std::nullopt;
  return Anomaly{.name = "label_leak",
                 .where = concat("columns ", named, " of the inputs"),
                 .evidence = concat("a weighted sum of them is the target, without an error"),
                 .cause = task == Task::regression
                              ? "the target was computed from these columns, such as an end less a start: one of them "
                                "is only known with the target"
                              : "the class was added to one of these columns: it is only known with the target",
                 .remedy = "leave out what is not known in use"};
}

}  // namespace handrail::train
