#include <handrail/train/checks/internal/columns/permutation.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <set>
#include <span>
#include <vector>

#include <handrail/train/checks/internal/columns/sd_error.h>
#include <handrail/train/math/correlation.h>

namespace handrail::train {
namespace {

// Mean, standard deviation, kurtosis, and correlations of the column and of its squared deviation with the target, as
// their inverse hyperbolic tangents, and its largest correlations with other columns.
using Signature = std::vector<double>;

// The targets as numbers to correlate with: the number itself, or whether it is one of the three commonest classes.
std::vector<std::vector<double>> indicators(const Described& data, std::span<const Scalar> classes) {
  std::vector<std::vector<double>> all;
  if (data.table.targets != 1) return all;
  const auto target = data.table.target();
  if (classes.empty()) return {std::vector<double>(target.begin(), target.end())};
  for (const Scalar c : classes) {
    std::vector<double> is(target.size());
    for (std::size_t i = 0; i < is.size(); ++i) is[i] = target[i] == c ? 1 : 0;
    all.push_back(std::move(is));
  }
  return all;
}

// The largest correlations of each column with others, as their inverse hyperbolic tangents, whatever the order of the
// columns. Empty for many columns.
std::vector<std::vector<double>> relations(const Described& data) {
  constexpr std::size_t max_columns = 64, kept = 3;
  const std::size_t d = data.table.inputs;
  std::vector<std::vector<double>> all(d), columns;
  if (d > max_columns || d <= kept) return all;
  for (std::size_t j = 0; j < d; ++j) columns.emplace_back(data.table.column(j).begin(), data.table.column(j).end());
  for (std::size_t j = 0; j < d; ++j)
    for (std::size_t k = 0; k < j; ++k) {
      const double r = std::atanh(std::min(std::abs(correlation(columns[j], columns[k])), 0.999));
      all[j].push_back(r);
      all[k].push_back(r);
    }
  for (auto& values : all) {
    std::ranges::sort(values, std::greater{});
    values.resize(kept);
  }
  return all;
}

Signature signature(const Described& data, std::size_t j, const std::vector<std::vector<double>>& targets) {
  Signature s{data.columns[j].mean, data.columns[j].sd, data.columns[j].kurtosis};
  const auto column = data.table.column(j);
  const std::vector<double> x(column.begin(), column.end());
  std::vector<double> squares;
  squares.reserve(x.size());
  for (const double value : x)
    squares.push_back(std::pow(std::min(std::abs(value - data.columns[j].mean), 3 * data.columns[j].sd), 2));
  for (const auto& y : targets)
    for (const auto& values : {x, squares}) s.push_back(std::atanh(std::clamp(correlation(values, y), -0.999, 0.999)));
  return s;
}

// How far two signatures are apart, in standard errors.
double misfit(const Signature& a, const Signature& b, double n, double m) {
  const double sds = a[1] * a[1] / n + b[1] * b[1] / m;
  if (!(sds > 0)) return a[0] == b[0] ? 0 : 100;
  if (a[1] == 0 || b[1] == 0) return 100;
  const double inverse_n = 1 / n + 1 / m;
  double worst = std::max(std::abs(a[0] - b[0]) / std::sqrt(sds),
                          std::abs(std::log(a[1] / b[1])) / log_sd_error(std::max(a[2], b[2]), inverse_n));
  for (std::size_t k = 3; k < a.size(); ++k) worst = std::max(worst, std::abs(a[k] - b[k]) / std::sqrt(inverse_n));
  return worst;
}

// Whether so few values of a column differ from the common one that they say little about it, as those of a pixel in a
// corner: a single one of them may be in one of the sets only.
bool is_rare(const Described& data, std::size_t j) {
  const std::size_t rows = data.table.size(), others = rows - data.columns[j].common_count;
  return others < 10 || 20 * others < rows;
}

// The three commonest classes of the training set; none for a regression.
std::vector<Scalar> common_classes(const Described& train, Task task) {
  constexpr std::size_t count = 3;
  std::vector<Scalar> classes;
  if (task == Task::regression || train.table.targets != 1) return classes;
  std::map<Scalar, std::size_t> counts;
  for (const Scalar c : train.table.target()) ++counts[c];
  for (const auto& [c, n] : counts) classes.push_back(c);
  std::ranges::stable_sort(classes, std::greater{}, [&](Scalar c) { return counts[c]; });
  classes.resize(std::min(count, classes.size()));
  return classes;
}

}  // namespace

std::optional<Permutation> find_permutation(const Described& train, const Described& validation, Task task) {
  constexpr std::size_t max_columns = 256, min_rows = 100;
  constexpr double min_misfit = 4.5, max_misfit = 4, min_matched = 0.8;
  const std::size_t d = train.table.inputs;
  if (d < 2 || d > max_columns || train.table.size() < min_rows || validation.table.size() < min_rows)
    return std::nullopt;
  const auto classes = common_classes(train, task);
  const auto here = indicators(train, classes), there = indicators(validation, classes);
  const auto n = static_cast<double>(train.table.size()), m = static_cast<double>(validation.table.size());
  std::vector<Signature> a, b;
  std::vector<std::size_t> odd;
  const auto related = relations(train), related_there = relations(validation);
  for (std::size_t j = 0; j < d; ++j) {
    a.push_back(signature(train, j, here));
    b.push_back(signature(validation, j, there));
    a[j].insert(a[j].end(), related[j].begin(), related[j].end());
    b[j].insert(b[j].end(), related_there[j].begin(), related_there[j].end());
    const bool rare = is_rare(train, j) && is_rare(validation, j);
    if (!rare && misfit(a[j], b[j], n, m) > min_misfit) odd.push_back(j);
  }
  if (odd.size() < 2) return std::nullopt;
  std::set<std::size_t> taken;
  Permutation found;
  for (const std::size_t j : odd) {
    std::optional<std::size_t> best;
    for (const std::size_t k : odd)
      if (k != j && !taken.contains(k) && (!best || misfit(a[k], b[j], n, m) < misfit(a[*best], b[j], n, m))) best = k;
    if (!best || misfit(a[*best], b[j], n, m) > max_misfit) continue;
    if (taken.empty()) found = {.from = *best, .to = j};
    taken.insert(*best);
  }
  if (taken.size() < 2 || static_cast<double>(taken.size()) < min_matched * static_cast<double>(odd.size()))
    return std::nullopt;
  found.count = taken.size();
  return found;
}

}  // namespace handrail::train
