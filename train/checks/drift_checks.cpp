#include <handrail/train/checks/internal/drift_checks.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include <handrail/train/checks/internal/columns/permutation.h>
#include <handrail/train/checks/internal/columns/sd_error.h>
#include <handrail/train/files/text.h>
#include <handrail/train/math/robust.h>

namespace handrail::train {
namespace {

constexpr double min_drift_errors = 6;  // standard errors

// 1 / n + 1 / m for the rows of both tables.
double inverse_rows(const Described& a, const Described& b) {
  return 1 / static_cast<double>(a.table.size()) + 1 / static_cast<double>(b.table.size());
}

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
  return Anomaly{.name = "validation_drift",
                 .where = concat("column ", worst, " of the validation set"),
                 .evidence = concat("mean ", short_form(b.mean, 3), ", deviation ", short_form(b.sd, 3), "; training ",
                                    short_form(a.mean, 3), ", ", short_form(a.sd, 3)),
                 .cause = most ? "a validation set that is not scaled like the training set, as "
                                 "nn::Standardize::fit(train) in the model does, or that comes from elsewhere"
                               : "a validation set from another time or place than the training set, or values that "
                                 "were changed in one of the sets only: prepare both by the same code",
                 .remedy = most ? "scale both sets by the training set" : "split rows at random",
                 .details = concat(count, " of ", train.table.inputs,
                                   count == 1 ? " columns differs" : " columns differ", " so much")};
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
  Anomaly anomaly{
      .name = "target_drift",
      .where = "validation targets",
      .evidence = {},
      .cause =
          "rows that were not split at random, such as the last ones of a sorted file, or rows of one class "
          "that were lost or chosen in one of the sets",
      .remedy = "split all rows at random"};
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
  const auto n = static_cast<double>(a.sorted.size()), m = static_cast<double>(b.sorted.size());
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
  std::optional<Anomaly> anomaly;
  if (const auto permutation = find_permutation(train, validation, task))
    anomaly = Anomaly{.name = "columns_permuted",
                      .where = concat("validation column ", permutation->to),
                      .evidence = concat("looks like training column ", permutation->from, "; ", permutation->count,
                                         " of ", train.table.inputs, " columns differ so"),
                      .cause = "columns of the two sets in a different order",
                      .remedy = "read both by column names"};
  if (!anomaly) anomaly = find_noise(train, validation);
  if (!anomaly) anomaly = find_drift(train, validation, identifier);
  // Columns drift with the classes.
  if (auto drift = find_target_drift(train, validation, task)) found.push_back(std::move(*drift));
  if (anomaly) found.push_back(std::move(*anomaly));
  return found;
}

}  // namespace handrail::train
