#include <handrail/train/checks/internal/neighbours/regime_checks.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <string>
#include <vector>

#include <handrail/core/random.h>
#include <handrail/train/checks/internal/association.h>
#include <handrail/train/checks/internal/columns/permutation.h>
#include <handrail/train/checks/internal/recoding.h>
#include <handrail/train/files/text.h>
#include <handrail/train/math/robust.h>

namespace handrail::train {
namespace {

constexpr std::size_t scan_steps = 20;

// How much better neighbours agree within the two parts than across them, for each cut. rank: of a point in some order.
Change clearest_cut(const NeighbourGraph& graph, std::span<const std::size_t> rank) {
  // Sums over the edges that have both ends before the cut, or one: by the first step that has the end before it.
  struct Sums {
    double count = 0, sum = 0;
  };
  std::vector<Sums> opens(scan_steps + 1), closes(scan_steps + 1);
  const std::size_t n = graph.size();
  const auto step_of = [&](std::size_t i) { return rank[i] * scan_steps / n + 1; };
  Sums all;
  double squares = 0;
  for (std::size_t i = 0; i < n; ++i)
    for (const std::size_t j : graph.of(i)) {
      // Rows in sequence may be a group, whose neighbours are never on the other side of a cut.
      if (std::max(rank[i], rank[j]) - std::min(rank[i], rank[j]) < n / scan_steps) continue;
      const double a = graph.agreement(i, j);
      const auto [first, last] = std::minmax({step_of(i), step_of(j)});
      ++opens[first].count, opens[first].sum += a;
      ++closes[last].count, closes[last].sum += a;
      ++all.count, all.sum += a, squares += a * a;
    }
  if (all.count == 0) return {};
  const double mean = all.sum / all.count, variance = squares / all.count - mean * mean;
  Change best;
  Sums across;
  for (std::size_t step = 1; step < scan_steps; ++step) {
    across.count += opens[step].count - closes[step].count;
    across.sum += opens[step].sum - closes[step].sum;
    const double within = all.count - across.count;
    if (across.count < 10 || within < 10 || !(variance > 0)) continue;
    const double difference = (all.sum - across.sum) / within - across.sum / across.count;
    const double errors = difference / std::sqrt(variance * (1 / within + 1 / across.count));
    if (errors > best.errors) best = {.point = (step * n + scan_steps - 1) / scan_steps, .errors = errors};
  }
  return best;
}

// Rows of a table from one position to another, with their columns.
struct Part {
  Part(const DataTable& from, std::size_t begin, std::size_t end) {
    table = {.name = from.name,
             .all_rows = from.all_rows,
             .data_rows = from.data_rows,
             .input_shape = from.input_shape,
             .inputs = from.inputs,
             .targets = from.targets};
    table.rows.assign(from.rows.begin() + static_cast<std::ptrdiff_t>(begin),
                      from.rows.begin() + static_cast<std::ptrdiff_t>(end));
    for (std::size_t j = 0; j < from.inputs + from.targets; ++j) {
      const auto column = from.column(j).subspan(begin, end - begin);
      table.values.insert(table.values.end(), column.begin(), column.end());
    }
    columns = describe(table);
  }
  Described described() const { return {table, columns}; }

  DataTable table;
  std::vector<Column> columns;
};

// The classes of the rows behind, against those of their neighbours before.
std::string recoding_of(const Described& train, const NeighbourGraph& graph, std::size_t change) {
  constexpr double max_classes = 100;
  const Column& target = train.columns[train.table.inputs];
  if (!(target.highest() < max_classes)) return {};
  const auto classes = static_cast<std::size_t>(target.highest()) + 1;
  const auto label = [&](std::size_t i) { return static_cast<std::size_t>(train.table.target()[graph.position(i)]); };
  std::vector<std::size_t> counts(classes * classes);
  std::vector<double> own, other;
  for (std::size_t i = change; i < graph.size(); ++i) {
    std::vector<std::size_t> votes(classes);
    for (const std::size_t j : graph.nearest(i, 0, change)) {
      ++votes[label(j)];
      own.push_back(static_cast<double>(label(i)));
      other.push_back(static_cast<double>(label(j)));
    }
    const auto most = std::ranges::max_element(votes);
    ++counts[label(i) * classes + static_cast<std::size_t>(most - votes.begin())];
  }
  std::string text = describe_recoding(counts, classes);
  constexpr double clear = 6;
  if (text.empty() && classes == 2 && !own.empty() && agreement(own, other, Task::binary) < -clear)
    text = "1 for 0, 0 for 1";
  return text;
}

// Whether the targets of two parts differ, as they do where rows are sorted by them or change with time: their means by
// a quarter of a standard deviation, or the shares of the classes by 0.15 in all.
bool targets_differ(const DataTable& table, std::size_t position, Task task) {
  constexpr double max_shift = 0.25, max_shares = 0.15;
  const auto before = table.target().first(position), behind = table.target().subspan(position);
  const auto n = static_cast<double>(before.size()), m = static_cast<double>(behind.size());
  if (task == Task::regression) {
    std::vector<double> a(before.begin(), before.end()), b(behind.begin(), behind.end());
    const RobustScale x = robust_scale(a), y = robust_scale(b);
    return std::abs(x.median - y.median) > max_shift * std::hypot(x.scale, y.scale) / std::sqrt(2);
  }
  std::map<Scalar, double> shares;
  for (const Scalar c : before) shares[c] += 1 / n;
  for (const Scalar c : behind) shares[c] -= 1 / m;
  double distance = 0;
  for (const auto& [c, difference] : shares) distance += std::abs(difference) / 2;
  return distance > max_shares;
}

}  // namespace

std::optional<Change> find_change(const NeighbourGraph& graph) {
  constexpr double min_errors = 7, min_deviations = 6;
  constexpr int orders = 40;
  std::vector<std::size_t> rank(graph.size());
  std::iota(rank.begin(), rank.end(), std::size_t{0});
  const Change found = clearest_cut(graph, rank);
  if (found.errors < min_errors) return std::nullopt;
  Rng rng(graph.size());
  std::vector<double> by_chance;
  for (int k = 0; k < orders; ++k) {
    rng.shuffle(std::span(rank));
    by_chance.push_back(clearest_cut(graph, rank).errors);
  }
  const Moments chance = moments(by_chance);
  const double deviation = chance.error * std::sqrt(static_cast<double>(orders));
  return found.errors > chance.mean + min_deviations * deviation ? std::optional(found) : std::nullopt;
}

std::optional<Anomaly> check_regimes(const Described& train, const NeighbourGraph& graph, Task task) {
  const auto change = find_change(graph);
  if (!change) return std::nullopt;
  const std::size_t position = graph.position(change->point);
  const Part before(train.table, 0, position), behind(train.table, position, train.table.size());
  const Index row = train.table.rows[position];
  Anomaly anomaly{.name = {},
                  .where = concat("training rows from about ", row),
                  .evidence = {},
                  .cause = {},
                  .remedy = {},
                  .details = concat("neighbours agree better within the two parts than across, by ",
                                    short_form(change->errors, 2), " standard errors")};
  const std::string recoding = task == Task::regression ? "" : recoding_of(train, graph, change->point);
  if (!recoding.empty()) {
    anomaly.name = "labels_recoded";
    anomaly.evidence = "like rows before are others: " + recoding;
    anomaly.cause = "two files that number the classes in a different order";
    anomaly.remedy = "number both alike";
    return anomaly;
  }
  if (const auto permutation = find_permutation(before.described(), behind.described(), task)) {
    anomaly.name = "columns_permuted";
    anomaly.evidence = concat("column ", permutation->to, " is like column ", permutation->from, " before; ",
                              permutation->count, " of ", train.table.inputs, " differ so");
    anomaly.cause = "two files whose columns are in a different order";
    anomaly.remedy = "read both by column names";
    return anomaly;
  }
  if (targets_differ(train.table, position, task)) return std::nullopt;
  anomaly.name = "two_regimes";
  anomaly.evidence = "their targets follow from the inputs in another way than before";
  anomaly.cause = "two files that differ in columns, labels or what was measured";
  anomaly.remedy = "look at both parts";
  return anomaly;
}

}  // namespace handrail::train
