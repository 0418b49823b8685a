#include <handrail/train/checks/internal/neighbour_checks.h>

#include <algorithm>
#include <string>

#include <handrail/train/checks/internal/association.h>
#include <handrail/train/checks/internal/layout_checks.h>
#include <handrail/train/checks/internal/neighbours/near_duplicates.h>
#include <handrail/train/checks/internal/neighbours/points.h>
#include <handrail/train/checks/internal/recoding.h>
#include <handrail/train/files/text.h>

namespace handrail::train {
namespace {

// ---- Targets of neighbours

// Pairs of targets.
struct Pairs {
  std::vector<double> a = {}, b = {};
};

// Rows that are each other's nearest neighbours count twice, so that the errors are larger than of independent pairs.
constexpr double error_factor = 1.25;

// How far the agreement of the pairs is above chance, in standard errors.
double agreement_z(const Pairs& pairs, Task task) {
  constexpr std::size_t min_pairs = 50;
  return pairs.a.size() < min_pairs ? 0 : agreement(pairs.a, pairs.b, task) / error_factor;
}

// The target of a row of the data set; null when it is not known.
const Scalar* target_of(std::span<const RowKey> keys, Index row) {
  const auto found = std::ranges::lower_bound(keys, row, {}, &RowKey::row);
  return found != keys.end() && found->row == row ? &found->target : nullptr;
}

Pairs shifted_pairs(const DataTable& table, std::span<const RowKey> keys, const Points& points,
                    std::span<const std::size_t> queries, std::span<const Neighbour> neighbours, Index shift) {
  Pairs pairs;
  for (std::size_t q = 0; q < queries.size(); ++q) {
    const Scalar* a = target_of(keys, table.rows[points.positions[queries[q]]] + shift);
    const Scalar* b = target_of(keys, table.rows[points.positions[neighbours[q].index]] + shift);
    if (!a || !b) continue;
    pairs.a.push_back(static_cast<double>(*a));
    pairs.b.push_back(static_cast<double>(*b));
  }
  return pairs;
}

std::optional<Anomaly> shifted_labels(double own, double before, double behind) {
  constexpr double clear = 6;
  const double other = std::max(before, behind);
  if (other < clear) return std::nullopt;
  return Anomaly{.name = "labels_shifted",
                 .where = "training targets",
                 .evidence = concat("inputs tell the target of the row ", before > behind ? "before" : "behind",
                                    ", not their own"),
                 .cause = "targets that are shifted by a row against the inputs, such as by a header line",
                 .remedy = "read input and target of a row together",
                 .details = concat("by ", short_form(other, 3), " standard errors more than by chance, their own by ",
                                   short_form(own, 2))};
}

// Validation targets whose training neighbours agree with another row's target.
std::optional<Anomaly> shifted_validation(const DataTable& train, const DataTable& validation, const Points& points,
                                          const Points& queries, std::span<const Neighbour> neighbours, Task task) {
  constexpr double clear = 5, none = 3;
  const auto signal = [&](Index shift) {
    Pairs pairs;
    for (std::size_t q = 0; q < queries.size(); ++q) {
      const Index row = validation.rows[queries.positions[q]] + shift;
      const auto found = std::ranges::lower_bound(validation.rows, row);
      if (found == validation.rows.end() || *found != row) continue;
      const auto position = static_cast<std::size_t>(found - validation.rows.begin());
      pairs.a.push_back(static_cast<double>(validation.target()[position]));
      pairs.b.push_back(static_cast<double>(train.target()[points.positions[neighbours[q].index]]));
    }
    return agreement_z(pairs, task);
  };
  const double own = signal(0), before = signal(-1), behind = signal(1), other = std::max(before, behind);
  if (own > none || other < clear) return std::nullopt;
  return Anomaly{
      .name = "labels_shifted",
      .where = "validation targets",
      .evidence = concat("similar training rows have the target of the row ", before > behind ? "before" : "behind"),
      .cause = "validation targets that are shifted by a row against their inputs, such as by a header line",
      .remedy = "read input and target of a row together",
      .details = concat("they agree by ", short_form(other, 3),
                        " standard errors more than by chance, with those of their own row by ", short_form(own, 2))};
}

std::optional<Anomaly> recoded_labels(const DataTable& train, const DataTable& validation, const Points& points,
                                      const Points& queries, std::span<const Neighbour> neighbours,
                                      std::size_t classes) {
  constexpr std::size_t max_classes = 1000;
  constexpr double clear = 4;
  if (classes > max_classes) return std::nullopt;
  std::vector<std::size_t> counts(classes * classes);
  Pairs pairs;
  for (std::size_t q = 0; q < queries.size(); ++q) {
    const auto label = static_cast<std::size_t>(validation.target()[queries.positions[q]]);
    const auto other = static_cast<std::size_t>(train.target()[points.positions[neighbours[q].index]]);
    if (label < classes && other < classes) ++counts[label * classes + other];
    pairs.a.push_back(static_cast<double>(label));
    pairs.b.push_back(static_cast<double>(other));
  }
  std::vector<double> targets;
  for (const std::size_t i : points.positions) targets.push_back(static_cast<double>(train.target()[i]));
  const bool exchanged =
      agreement_z(pairs, Task::binary) < -clear ||
      (classes == 2 && transferred_agreement(points.coordinates, targets, points.coordinates, targets) > clear &&
       transferred_agreement(points.coordinates, targets, queries.coordinates, pairs.a) < -clear);
  std::string recoding = describe_recoding(counts, classes);
  if (recoding.empty() && classes == 2 && exchanged) recoding = "1 for 0, 0 for 1";
  if (recoding.empty()) return std::nullopt;
  return Anomaly{.name = "labels_recoded",
                 .where = "validation targets",
                 .evidence = concat("similar training rows have others: ", recoding),
                 .cause = "classes that are numbered in a different order in the two sets",
                 .remedy = "number the classes of both alike"};
}

}  // namespace

NeighbourReport check_neighbours(const Described& train, std::span<const RowKey> keys, const Described* validation,
                                 Task task) {
  constexpr std::size_t min_rows = 100, max_points = 1000, max_queries = 200, max_validation = 150;
  NeighbourReport report;
  const DataTable& table = train.table;
  const auto columns = varying_columns(train);
  if (table.size() < min_rows || table.targets != 1 || columns.empty()) return report;
  const Points points = points_of(table, train.columns, columns, max_points);
  std::vector<float> distances;
  const auto queries = evenly(points.size(), max_queries);
  std::vector<Neighbour> neighbours;
  neighbours.reserve(queries.size());
  for (const std::size_t q : queries) neighbours.push_back(nearest(points, points, q, q, distances));

  const Column& target = train.columns[table.inputs];
  const auto z = [&](Index shift) {
    return agreement_z(shifted_pairs(table, keys, points, queries, neighbours, shift), task);
  };
  const auto signal = [&](Index shift) { return std::max(z(shift), column_signal(train, keys, shift, task).signal); };
  const double own = z(0);
  const ColumnSignal by_column = column_signal(train, keys, 0, task);
  report.signal = std::max(own, by_column.signal);
  report.noise = by_column.noise;
  constexpr double no_signal = 3;
  if (*report.signal < no_signal) {
    auto found = shifted_labels(*report.signal, signal(-1), signal(1));
    if (!found) found = check_layout(train, keys, *report.signal, task);
    if (found) report.anomalies.push_back(std::move(*found));
  } else if (auto found = find_shifted_cells(train, keys, task)) {
    report.anomalies.push_back(std::move(*found));
  }

  if (!validation || validation->table.input_shape != table.input_shape || validation->table.targets != 1)
    return report;
  const Points held_out = points_of(validation->table, train.columns, columns, max_validation);
  std::vector<Neighbour> of_validation;
  for (std::size_t q = 0; q < held_out.size(); ++q)
    of_validation.push_back(nearest(points, held_out, q, points.size(), distances));
  auto shifted = shifted_validation(table, validation->table, points, held_out, of_validation, task);
  if (shifted) report.anomalies.push_back(std::move(*shifted));
  if (!shifted && task != Task::regression && target.whole && (own > 6 || target.highest() == 1))
    if (auto found = recoded_labels(table, validation->table, points, held_out, of_validation,
                                    static_cast<std::size_t>(target.highest()) + 1))
      report.anomalies.push_back(std::move(*found));
  auto near = near_duplicates(train, validation->table, points, held_out, neighbours, of_validation);
  if (!near) near = find_groups(validation->table, points, held_out, neighbours, of_validation);
  if (near) report.anomalies.push_back(std::move(*near));
  return report;
}

}  // namespace handrail::train
