#include <handrail/train/checks/internal/drift_checks.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <optional>
#include <set>

#include <handrail/train/files/text.h>
#include <handrail/train/math/correlation.h>
#include <handrail/train/math/robust.h>

namespace handrail::train {
namespace {

constexpr double min_drift_errors = 6;  // standard errors

// 1 / n + 1 / m for the rows of both tables.
double inverse_rows(const Described& a, const Described& b) {
  return 1 / static_cast<double>(a.table.size()) + 1 / static_cast<double>(b.table.size());
}

// The standard error of the difference of the logarithms of two standard deviations.
double log_sd_error(double kurtosis, double inverse_n) { return std::sqrt((kurtosis - 1) / 4 * inverse_n); }

struct Drift {
  bool mean = false, scale = false;
  double size = 0;  // of the shift in standard deviations, or the logarithm of the factor
};

Drift drift_of(const Column& train, const Column& validation, double inverse_n) {
  const double pooled = std::sqrt((train.sd * train.sd + validation.sd * validation.sd) / 2);
  if (!(pooled > 0)) {  // both constant
    const bool differ = train.common != validation.common;
    return {.mean = differ, .size = differ ? 1.0 : 0.0};
  }
  const double shift = std::abs(validation.mean - train.mean) / pooled;
  if (shift > 0.5 && shift > min_drift_errors * std::sqrt(inverse_n)) return {.mean = true, .size = shift};
  const auto apart = [](double a, double b, double factor) { return a > factor * b || b > factor * a; };
  const double ratio = std::abs(std::log(std::max(validation.sd, 1e-30) / std::max(train.sd, 1e-30)));
  if (apart(train.sd, validation.sd, 2) && apart(train.iqr, validation.iqr, 1.5) &&
      ratio > min_drift_errors * log_sd_error(std::max(train.kurtosis, validation.kurtosis), inverse_n))
    return {.scale = true, .size = ratio};
  return {};
}

// ---- Columns in another order

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

std::optional<Anomaly> find_permutation(const Described& train, const Described& validation,
                                        std::span<const Scalar> classes) {
  constexpr std::size_t max_columns = 256, min_rows = 100;
  constexpr double min_misfit = 4.5, max_misfit = 4, min_matched = 0.8;
  const std::size_t d = train.table.inputs;
  if (d < 2 || d > max_columns || train.table.size() < min_rows || validation.table.size() < min_rows)
    return std::nullopt;
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
  std::size_t from = 0, to = 0;
  for (const std::size_t j : odd) {
    std::optional<std::size_t> best;
    for (const std::size_t k : odd)
      if (k != j && !taken.contains(k) && (!best || misfit(a[k], b[j], n, m) < misfit(a[*best], b[j], n, m))) best = k;
    if (!best || misfit(a[*best], b[j], n, m) > max_misfit) continue;
    if (taken.empty()) from = *best, to = j;
    taken.insert(*best);
  }
  if (taken.size() < 2 || static_cast<double>(taken.size()) < min_matched * static_cast<double>(odd.size()))
    return std::nullopt;
  return Anomaly{
      .name = "columns_permuted",
      .where = concat("validation column ", to),
      .evidence = concat("looks like training column ", from, "; ", taken.size(), " of ", d, " columns differ so"),
      .cause = "columns of the two sets in a different order",
      .remedy = "read both by column names"};
}

// ---- Drift

std::optional<Anomaly> find_drift(const Described& train, const Described& validation,
                                  std::optional<std::size_t> identifier) {
  const double inverse_n = inverse_rows(train, validation);
  std::size_t count = 0, worst = 0;
  double size = 0;
  for (std::size_t j = 0; j < train.table.inputs; ++j) {
    const Drift drift = drift_of(train.columns[j], validation.columns[j], inverse_n);
    if ((!drift.mean && !drift.scale) || j == identifier) continue;
    ++count;
    if (drift.size > size) size = drift.size, worst = j;
  }
  if (count == 0) return std::nullopt;
  const bool most = 2 * count > train.table.inputs && count > 1;
  const Column &a = train.columns[worst], &b = validation.columns[worst];
  return Anomaly{
      .name = "validation_drift",
      .where = concat("column ", worst, " of the validation set"),
      .evidence = concat("mean ", short_form(b.mean, 3), ", deviation ", short_form(b.sd, 3), "; training ",
                         short_form(a.mean, 3), ", ", short_form(a.sd, 3)),
      .cause = most ? "a validation set that is not scaled like the training set, or that comes from elsewhere"
                    : "a validation set from another time or place than the training set",
      .remedy = most ? "scale both sets by the training set" : "split rows at random",
      .details = concat(count, " of ", train.table.inputs, count == 1 ? " columns differs" : " columns differ",
                        " so much; nn::Standardize::fit(train) in the model scales both sets alike")};
}

std::optional<Anomaly> find_noise(const Described& train, const Described& validation) {
  constexpr std::size_t min_columns = 4;
  std::vector<double> factors;
  std::size_t larger = 0;
  for (std::size_t j = 0; j < train.table.inputs; ++j) {
    const Column &a = train.columns[j], &b = validation.columns[j];
    if (drift_of(a, b, inverse_rows(train, validation)).mean) return std::nullopt;
    if (a.iqr == 0 || b.iqr == 0) continue;
    factors.push_back(a.sd / b.sd);
    larger += a.sd > b.sd && a.iqr > b.iqr;
  }
  if (factors.size() < min_columns || 5 * larger < 4 * factors.size()) return std::nullopt;
  const double factor = median(factors), error = std::sqrt(inverse_rows(train, validation) / 2);
  if (factor < 1.25 || factor > 6 || std::log(factor) < 4 * error) return std::nullopt;
  return Anomaly{.name = "noisy_inputs",
                 .where = "training inputs",
                 .evidence = concat("they vary ", short_form(factor, 3), " times as much as in validation, in ", larger,
                                    " of ", factors.size(), " columns"),
                 .cause = "noise that is added to the training inputs only, or an augmentation that is too strong",
                 .remedy = "add less noise",
                 .severity = factor > 1.5 ? Severity::warning : Severity::note};
}

std::optional<Anomaly> find_target_drift(const Described& train, const Described& validation, Task task) {
  if (train.table.targets != 1) return std::nullopt;
  const Column &a = train.columns[train.table.inputs], &b = validation.columns[validation.table.inputs];
  const double inverse_n = inverse_rows(train, validation);
  Anomaly anomaly{.name = "target_drift",
                  .where = "validation targets",
                  .evidence = {},
                  .cause = "a validation set that was not drawn at random, such as the last rows of a sorted file",
                  .remedy = "split rows at random"};
  if (task == Task::regression) {
    const Drift drift = drift_of(a, b, inverse_n);
    if (!drift.mean && !drift.scale) return std::nullopt;
    anomaly.evidence = concat("mean ", short_form(b.mean, 3), ", deviation ", short_form(b.sd, 3), "; training ",
                              short_form(a.mean, 3), ", ", short_form(a.sd, 3));
    return anomaly;
  }
  std::map<Scalar, std::pair<double, double>> shares;
  for (const Scalar c : a.sorted) shares[c].first += 1 / static_cast<double>(a.sorted.size());
  for (const Scalar c : b.sorted) shares[c].second += 1 / static_cast<double>(b.sorted.size());
  constexpr double min_class_errors = 5, absent_by_chance = 9;  // -ln of 1e-4
  double worst = 0;
  const double n = static_cast<double>(a.sorted.size()), m = static_cast<double>(b.sorted.size());
  for (const auto& [c, share] : shares) {
    const auto [here, there] = share;
    const double difference = std::abs(here - there), all = (here * n + there * m) / (n + m);
    const double error = std::sqrt(all * (1 - all) * inverse_n);
    const bool absent = there == 0 && -m * std::log1p(-std::min(here, 1 - 1e-9)) > absent_by_chance;
    const bool differs = difference > 0.15 && difference > min_class_errors * error;
    if (!(differs || absent) || difference < worst) continue;
    worst = difference;
    anomaly.evidence = concat("class ", c, " in ", short_form(100 * there, 3), " % of the rows, in training in ",
                              short_form(100 * here, 3), " %");
  }
  return worst > 0 ? std::optional(anomaly) : std::nullopt;
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

bool is_drifting(const Described& train, const Described& validation, std::size_t column) {
  if (train.table.input_shape != validation.table.input_shape) return false;
  const Drift drift = drift_of(train.columns[column], validation.columns[column], inverse_rows(train, validation));
  return drift.mean || drift.scale;
}

std::vector<Anomaly> check_drift(const Described& train, const Described& validation, Task task,
                                 std::optional<std::size_t> identifier) {
  constexpr std::size_t min_rows = 10;
  std::vector<Anomaly> found;
  if (train.table.input_shape != validation.table.input_shape || train.table.targets != validation.table.targets ||
      train.table.size() < min_rows || validation.table.size() < min_rows)
    return found;
  auto anomaly = find_permutation(train, validation, common_classes(train, task));
  if (!anomaly) anomaly = find_noise(train, validation);
  if (!anomaly) anomaly = find_drift(train, validation, identifier);
  // Columns drift with the classes.
  if (auto drift = find_target_drift(train, validation, task)) found.push_back(std::move(*drift));
  if (anomaly) found.push_back(std::move(*anomaly));
  return found;
}

}  // namespace handrail::train
