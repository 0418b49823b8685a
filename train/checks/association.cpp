#include <handrail/train/checks/internal/association.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>

#include <handrail/nn/internal/quantile.h>
#include <handrail/train/math/correlation.h>
#include <handrail/train/math/robust.h>

namespace handrail::train {
namespace {

// Values without outliers, around their median.
std::vector<double> centred(std::span<const double> values) {
  constexpr double max_spreads = 3;
  std::vector<double> sorted(values.begin(), values.end());
  const double middle = median(sorted);
  double spread = nn::quantile(sorted, 0.75) - nn::quantile(sorted, 0.25);
  if (spread == 0) {  // most values are equal: the others give the spread
    std::vector<double> distances;
    for (const double value : values)
      if (value != middle) distances.push_back(std::abs(value - middle));
    if (distances.empty()) return {};
    spread = median(distances);
  }
  std::vector<double> result;
  for (const double value : values) result.push_back(std::clamp((value - middle) / spread, -max_spreads, max_spreads));
  return result;
}

double tests(const TargetSeries& targets) { return 2 * static_cast<double>(targets.series.size()); }

}  // namespace

TargetSeries target_series(std::span<const double> targets, Task task) {
  constexpr std::size_t max_classes = 10;
  TargetSeries result{.rows = targets.size()};
  if (task == Task::regression) {
    result.series.push_back(centred(targets));
    if (result.series.back().empty()) result.series.clear();
    return result;
  }
  std::map<double, std::size_t> counts;
  for (const double target : targets) ++counts[target];
  std::vector<std::pair<std::size_t, double>> classes;
  classes.reserve(counts.size());
  for (const auto& [c, count] : counts) classes.emplace_back(count, c);
  std::ranges::sort(classes, std::greater{});
  if (classes.size() <= 2) classes.resize(classes.size() / 2);  // one of two tells the other
  classes.resize(std::min(max_classes, classes.size()));
  for (const auto& [count, c] : classes) {
    auto& series = result.series.emplace_back();
    for (const double target : targets) series.push_back(target == c ? 1 : 0);
  }
  return result;
}

double association(std::span<const double> values, const TargetSeries& targets) {
  std::vector<double> x = centred(values);
  if (x.empty()) return 0;
  double largest = 0;
  const auto look = [&] {
    for (const auto& y : targets.series) largest = std::max(largest, std::abs(correlation(x, y)));
  };
  look();
  for (double& value : x) value *= value;
  look();
  return largest * std::sqrt(static_cast<double>(targets.rows));
}

double association_by_chance(std::size_t columns, const TargetSeries& targets) {
  return std::sqrt(2 * std::log(std::max(2.0, tests(targets) * static_cast<double>(columns))));
}

double share_of_noise(std::span<const double> associations, const TargetSeries& targets) {
  if (associations.empty() || targets.series.empty()) return 0;
  double within = 0;
  for (const double z : associations) {
    const double one = std::erf(z / std::numbers::sqrt2);  // the chance that a single correlation is nearer to 0
    within += std::pow(one, tests(targets)) < 0.5;
  }
  return std::min(1.0, 2 * within / static_cast<double>(associations.size()));
}

double transferred_agreement(std::span<const std::vector<float>> train, std::span<const double> targets,
                             std::span<const std::vector<float>> other, std::span<const double> other_targets) {
  std::vector<double> score(other_targets.size());
  for (std::size_t j = 0; j < train.size(); ++j) {
    const double r = correlation(std::vector<double>(train[j].begin(), train[j].end()), targets);
    for (std::size_t i = 0; i < score.size(); ++i) score[i] += r * static_cast<double>(other[j][i]);
  }
  return correlation(score, other_targets) * std::sqrt(static_cast<double>(other_targets.size()));
}

double agreement(std::span<const double> a, std::span<const double> b, Task task) {
  const auto n = static_cast<double>(a.size());
  if (task == Task::regression) {
    const std::vector<double> x = centred(a), y = centred(b);
    return x.empty() || y.empty() ? 0 : correlation(x, y) * std::sqrt(n);
  }
  std::map<double, double> first, second;
  double same = 0, chance = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    ++first[a[i]];
    ++second[b[i]];
    same += a[i] == b[i];
  }
  for (const auto& [c, count] : first) chance += count / n * (second[c] / n);
  return chance > 0 && chance < 1 ? (same - n * chance) / std::sqrt(n * chance * (1 - chance)) : 0;
}

}  // namespace handrail::train
