#include <handrail/train/checks/internal/data_review.h>

#include <algorithm>
#include <iterator>
#include <memory>
#include <utility>

#include <handrail/train/checks/internal/column_checks.h>
#include <handrail/train/checks/internal/columns/exact_leaks.h>
#include <handrail/train/checks/internal/drift_checks.h>
#include <handrail/train/checks/internal/leak_checks.h>
#include <handrail/train/checks/internal/neighbour_checks.h>
#include <handrail/train/checks/internal/neighbours/label_regimes.h>
#include <handrail/train/checks/internal/neighbours/regime_checks.h>
#include <handrail/train/checks/internal/row_checks.h>
#include <handrail/train/checks/internal/target_checks.h>

namespace handrail::train {
namespace {

// A data set, as the rules look at it.
struct Reviewed {
  explicit Reviewed(const DataPart& part) : table(read_table(part)), columns(describe_all(table)) {}
  Described described() const { return {table, columns}; }

  DataTable table;
  std::vector<Column> columns;

 private:
  static std::vector<Column> describe_all(const DataTable& t) {
    return t.rows.empty() ? std::vector<Column>() : describe(t);
  }
};

// Whether the rules that count classes can do so: CheckOptions::labels may be off.
bool has_classes(const Reviewed& data, Task task) {
  constexpr double max_classes = 1 << 16;
  if (task == Task::regression || data.table.targets != 1) return true;
  const Column& target = data.columns[data.table.inputs];
  return target.lowest() >= 0 && target.highest() < max_classes;
}

}  // namespace

DataReview review_data(const DataPart& train, const DataPart* validation, const CheckOptions& on, Task task,
                       bool plain_loss) {
  constexpr std::size_t min_graph_rows = 100;
  DataReview review;
  const auto add = [&](std::vector<Anomaly> found) { std::ranges::move(found, std::back_inserter(review.anomalies)); };
  const auto add_one = [&](std::optional<Anomaly> found) {
    if (found) review.anomalies.push_back(std::move(*found));
  };
  if (!on.columns && !on.leaks && !on.targets && !on.rows && !on.drift && !on.duplicates) return review;
  const Reviewed data(train);
  const DataTable& table = data.table;
  const std::span<const Column> columns = data.columns;
  if (table.rows.empty() || table.inputs == 0 || !has_classes(data, task)) return review;
  const RowScan scan = scan_rows(train, table, columns);
  std::unique_ptr<const Reviewed> other;
  if (validation && (on.drift || on.duplicates || on.targets || on.leaks))
    other = std::make_unique<const Reviewed>(*validation);
  if (other && (other->table.rows.empty() || !has_classes(*other, task))) other.reset();
  const auto held_out = other ? std::optional(other->described()) : std::nullopt;
  NeighbourReport neighbours = check_neighbours(data.described(), scan.keys, held_out ? &*held_out : nullptr, task);
  review.label_signal = neighbours.signal;
  review.noise_columns = neighbours.noise * static_cast<double>(table.inputs);

  if (on.columns) add(check_cells(table, columns, scan, task == Task::regression));
  if (on.targets) add(check_targets(table, columns, task, plain_loss));
  const auto identifier = on.leaks && table.targets == 1 ? identifier_column(table, columns) : std::nullopt;
  if (on.leaks)
    add(check_leaks(table, columns, task,
                    identifier && held_out && is_drifting(data.described(), *held_out, *identifier)));
  if (on.leaks && std::ranges::find(review.anomalies, "label_leak", &Anomaly::name) == review.anomalies.end()) {
    auto leak = find_exact_sum(data.described(), task);
    add_one(leak ? std::move(leak) : find_encoded_target(data.described(), held_out ? &*held_out : nullptr, task));
  }
  if (on.columns) add(check_columns(table, columns, task == Task::regression, neighbours.signal));
  // A category tells the targets value by value, which the signal does not see.
  if (std::ranges::find(review.anomalies, "coded_category", &Anomaly::name) != review.anomalies.end())
    review.label_signal.reset();
  if (on.targets) add_one(check_conflicts(table, columns, scan.keys, task));
  if (on.rows) add(check_row_set(table, columns, scan.keys, task, validation ? validation->rows.size() : 0));
  if (held_out && on.drift) add(check_drift(data.described(), *held_out, task, identifier));
  if (validation && on.rows)
    add_one(check_validation_size(static_cast<Index>(validation->rows.size()), static_cast<Index>(table.size())));
  if (on.targets && table.targets == 1 && table.size() >= min_graph_rows) {
    const NeighbourGraph graph(data.described(), task);
    auto found = check_filled_targets(data.described(), graph, task);
    if (!found) found = check_regimes(data.described(), graph, task);
    add_one(found ? std::move(found) : check_unlabelled(data.described(), graph, task));
  }
  for (Anomaly& anomaly : neighbours.anomalies)
    if (anomaly.name == "near_duplicates" ? on.duplicates : on.targets) review.anomalies.push_back(std::move(anomaly));
  return review;
}

}  // namespace handrail::train
