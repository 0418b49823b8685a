#include <handrail/train/checks/internal/neighbours/label_regimes.h>

#include <cmath>
#include <map>
#include <vector>

#include <handrail/train/files/text.h>
#include <handrail/train/math/robust.h>

namespace handrail::train {

std::optional<Anomaly> check_unlabelled(const Described& train, const NeighbourGraph& graph, Task task) {
  constexpr std::size_t min_rows = 40;
  constexpr double min_share = 0.3, max_dispersion = 1.4, min_even = 0.85, min_errors = 6, max_errors = 4,
                   neighbours = NeighbourGraph::neighbours;
  const Column& target = train.columns[train.table.inputs];
  if (task != Task::multiclass || target.distinct < 3) return std::nullopt;
  const Scalar common = target.common;  // rows without a label make their class the commonest
  const auto label = [&](std::size_t i) { return train.table.target()[graph.position(i)]; };
  struct Class {
    double rows = 0, commons = 0;  // commons: how many neighbours of its rows have the commonest class
  };
  std::map<Scalar, Class> classes;
  double rows = 0, commons = 0, squares = 0, same = 0, others = 0, chance = 0;
  for (std::size_t i = 0; i < graph.size(); ++i)
    if (label(i) != common) ++classes[label(i)].rows, ++rows;
  if (rows < min_rows) return std::nullopt;
  for (const auto& [c, of_class] : classes) chance += std::pow(of_class.rows / rows, 2);
  for (std::size_t i = 0; i < graph.size(); ++i) {
    if (label(i) == common) continue;
    double count = 0;
    for (const std::size_t j : graph.of(i)) {
      count += label(j) == common;
      same += label(j) == label(i);
      others += label(j) != common;
    }
    commons += count, squares += count * count;
    classes[label(i)].commons += count;
  }
  const double mean = commons / rows, share = mean / neighbours;
  const double dispersion = (squares / rows - mean * mean) / (neighbours * share * (1 - share));
  const double own_share = static_cast<double>(target.common_count) / static_cast<double>(train.table.size());
  if (share < min_share || share < min_even * own_share || !(dispersion < max_dispersion) ||
      same - chance * others < min_errors * std::sqrt(others * chance * (1 - chance)) || same < 0.6 * others)
    return std::nullopt;
  const double spread = max_dispersion * share * (1 - share) / neighbours;  // of the share of one row
  for (const auto& [c, of_class] : classes)
    if (std::abs(of_class.commons / (neighbours * of_class.rows) - share) >
        max_errors * std::sqrt(spread / of_class.rows))
      return std::nullopt;
  return Anomaly{
      .name = "label_noise",
      .where = concat("training rows of class ", common),
      .evidence = concat("they lie among all other classes, as ", short_form(100 * share, 2), " % of neighbours"),
      .cause = concat("rows that have no label, or a wrong one, and count as class ", common),
      .remedy = "leave unlabelled rows out",
      .details = concat("of the other neighbours ", short_form(100 * same / others, 2),
                        " % have the class of their row, so that the inputs tell the classes apart"),
      .rank = Rank::labels,
      .severity = Severity::note};
}

std::optional<Anomaly> check_filled_targets(const Described& train, const NeighbourGraph& graph, Task task) {
  constexpr double min_errors = 6, min_excess = 0.05, min_worse = 2;
  const bool regression = task == Task::regression;
  const double min_ratio = regression ? 0.75 : 0.9;
  const DataTable& table = train.table;
  const auto target = table.target();
  const Scalar common = train.columns[table.inputs].common;  // of a regression, such as a limit of the scale
  const auto repeats = [&](std::size_t i) {
    return target[i] == target[i - 1] && !(regression && target[i] == common);
  };
  const auto follows = [&](std::size_t i) { return i > 0 && table.rows[i] == table.rows[i - 1] + 1; };
  double pairs = 0, equal = 0, chance = 0;
  for (std::size_t i = 1; i < table.size(); ++i) pairs += follows(i), equal += follows(i) && repeats(i);
  std::map<Scalar, double> counts;
  for (const Scalar value : target) ++counts[value];
  for (const auto& [value, count] : counts) chance += std::pow(count / static_cast<double>(table.size()), 2);
  if (pairs < 50 || equal - chance * pairs < min_excess * pairs ||
      equal - chance * pairs < min_errors * std::sqrt(pairs * chance * (1 - chance)))
    return std::nullopt;

  std::vector<double> distances[2], agreements[2];  // of rows that differ from the one before, and that repeat it
  for (std::size_t i = 0; i < graph.size(); ++i) {
    const std::size_t p = graph.position(i);
    if (!follows(p)) continue;
    double distance = 0;
    for (std::size_t j = 0; j < table.inputs; ++j)
      if (const Column& column = train.columns[j]; column.sd > 0)
        distance += std::pow(static_cast<double>(table.column(j)[p] - table.column(j)[p - 1]) / column.sd, 2);
    distances[repeats(p)].push_back(std::sqrt(distance));
    agreements[repeats(p)].push_back(graph.agreement(i));
  }
  constexpr std::size_t min_rows = 20;
  if (agreements[0].size() < min_rows || agreements[1].size() < min_rows) return std::nullopt;
  if (median(distances[1]) < min_ratio * median(distances[0])) return std::nullopt;
  const Moments differing = moments(agreements[0]), repeating = moments(agreements[1]);
  const double worse = differing.mean - repeating.mean;
  if (!regression && worse < min_worse * std::hypot(differing.error, repeating.error)) return std::nullopt;
  return Anomaly{
      .name = "labels_shifted",
      .where = "training targets",
      .evidence = concat(short_form(100 * equal / pairs, 2), " % repeat that of the row before, by chance ",
                         short_form(100 * chance, 2), " %"),
      .cause = "missing targets that were filled with the last one (a forward fill): they belong to another row",
      .remedy = "skip rows without a target",
      .details = concat("inputs do not repeat so; rows with similar inputs have the same target in ",
                        short_form(100 * differing.mean, 2), " % where a target differs from the one before, in ",
                        short_form(100 * repeating.mean, 2), " % where it repeats it")};
}

}  // namespace handrail::train
