#include <handrail/train/checks/internal/columns/exact_leaks.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include <Eigen/Cholesky>
#include <Eigen/Core>

#include <handrail/train/files/text.h>

namespace handrail::train {
namespace {

struct SameValue {
  double rows = 0, sum = 0;
};

// What the groups of equal values tell of a target.
class ValueGroups {
 public:
  void add(Scalar value, double target) {
    SameValue& group = groups_[value];
    ++group.rows;
    group.sum += target;
    squares_ += target * target;
  }
  double rows_a_group() const {
    double rows = 0;
    for (const auto& [value, group] : groups_) rows += group.rows;
    return rows / static_cast<double>(groups_.size());
  }
  // Whether the means of groups of two rows or more are a line of their values.
  bool obey() const {
    constexpr double min_groups = 4, min_groups_of_line = 8, max_chi = 0.005, min_explained = 0.05;
    double count = 0, rows = 0, x = 0, y = 0, xx = 0, xy = 0, yy = 0, within = squares_, own = 0;
    for (const auto& [key, group] : groups_) {
      const auto value = static_cast<double>(key);
      const double mean = group.sum / group.rows;
      within -= group.rows * mean * mean;
      if (group.rows < 2) continue;
      ++count, rows += group.rows;
      x += group.rows * value, y += group.sum, yy += group.rows * mean * mean;
      xx += group.rows * value * value, xy += group.sum * value;
      own += group.rows * (mean - value) * (mean - value);
    }
    if (count < min_groups || rows <= count) return false;
    const double variance = within / (rows - count);
    const double vx = xx - x * x / rows, vy = yy - y * y / rows, cxy = xy - x * y / rows;
    if (!(variance > 0) || !(vx > 0) || vy < min_explained * (vy + within)) return false;
    if (own < max_chi * count * variance) return true;
    return count >= min_groups_of_line && vy - cxy * cxy / vx < max_chi * (count - 2) * variance;
  }

 private:
  std::map<Scalar, SameValue> groups_;
  double squares_ = 0;
};

void add_rows(ValueGroups& groups, const DataTable& table, std::size_t j, std::optional<Scalar> target_class) {
  const auto column = table.column(j), target = table.target();
  for (std::size_t i = 0; i < table.size(); ++i)
    groups.add(column[i], target_class ? (target[i] == *target_class ? 1.0 : 0.0) : static_cast<double>(target[i]));
}

}  // namespace

std::optional<Anomaly> find_encoded_target(const Described& train, const Described* validation, Task task) {
  constexpr std::size_t min_distinct = 4;
  constexpr double few_rows = 10, max_classes = 10;
  const DataTable& table = train.table;
  if (table.targets != 1 || table.size() < 50) return std::nullopt;
  const Column& target = train.columns[table.inputs];
  std::vector<std::optional<Scalar>> series{std::nullopt};
  if (task == Task::multiclass && target.highest() < max_classes)
    for (Scalar c = 0; c <= static_cast<Scalar>(target.highest()); ++c) series.emplace_back(c);
  const bool compares = validation && validation->table.input_shape == table.input_shape;
  for (std::size_t j = 0; j < table.inputs; ++j) {
    if (train.columns[j].distinct < min_distinct || 3 * train.columns[j].distinct > 2 * table.size()) continue;
    for (const auto& target_class : series) {
      ValueGroups groups;
      add_rows(groups, table, j, target_class);
      const double rows = groups.rows_a_group();
      const bool small = rows <= few_rows && groups.obey();
      if (!small && !compares) continue;
      if (compares) add_rows(groups, validation->table, j, target_class);
      if (!small && !groups.obey()) continue;
      return Anomaly{
          .name = "label_leak",
          .where = concat("column ", j, " of the inputs"),
          .evidence = concat("each value is the mean target of its rows, ", short_form(rows, 2), " on average"),
          .cause = "a category that was replaced by the mean of its targets, the row's own among them",
          .remedy = "take means from other rows"};
    }
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
