#include <handrail/train/checks/internal/row_checks.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <unordered_map>
#include <utility>

#include <handrail/train/files/text.h>
#include <handrail/train/math/robust.h>

namespace handrail::train {
namespace {

// The chance that two rows have the same target, without replacement.
double agreement(std::span<const Scalar> targets) {
  std::unordered_map<Scalar, double> counts;
  for (const Scalar target : targets) ++counts[target];
  const auto n = static_cast<double>(targets.size());
  double pairs = 0;
  for (const auto& [target, count] : counts) pairs += count * (count - 1);
  return pairs / (n * (n - 1));
}

double variance(std::span<const Scalar> targets) {
  std::vector<double> values(targets.begin(), targets.end());
  const auto n = static_cast<double>(values.size());
  const double error = moments(values).error;
  return error * error * n;
}

double distance(std::span<const Scalar> a, std::span<const Scalar> b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += std::pow(static_cast<double>(a[i]) - static_cast<double>(b[i]), 2);
  return std::sqrt(sum);
}

// The median distance of a row of `a` and the row of `b` that is `shift` rows further; 0 for fewer than 16 rows.
double median_distance(const Batch& a, const Batch& b, std::size_t shift) {
  constexpr std::size_t min_rows = 16;
  const auto rows = static_cast<std::size_t>(a.inputs.shape()[0]);
  if (rows < min_rows) return 0;
  const std::size_t width = a.inputs.span().size() / rows;
  std::vector<double> distances;
  distances.reserve(rows);
  for (std::size_t i = 0; i < rows; ++i)
    distances.push_back(distance(a.inputs.span().subspan(i * width, width),
                                 b.inputs.span().subspan((i + shift) % rows * width, width)));
  return median(distances);
}

std::optional<Anomaly> find_repeated_rows(const DataTable& table, std::span<const Column> columns,
                                          std::span<const RowKey> keys) {
  constexpr std::size_t min_rows = 40, min_repeats = 3;
  std::unordered_map<std::uint64_t, Index> first;
  std::optional<std::pair<Index, Index>> twice;
  for (const RowKey& key : keys)
    if (const auto [found, is_new] = first.emplace(key.all, key.row); !is_new && !twice)
      twice = {found->second, key.row};
  const std::size_t different = first.size();
  if (keys.size() < min_rows || !twice || min_repeats * different > keys.size()) return std::nullopt;
  // Rows of few categories repeat by nature: no column of theirs tells nearly all different rows apart.
  std::size_t most_distinct = 0;
  for (std::size_t j = 0; j < table.inputs; ++j) most_distinct = std::max(most_distinct, columns[j].distinct);
  if (table.inputs < 20 && static_cast<double>(most_distinct) < 0.8 * static_cast<double>(different) && different > 3)
    return std::nullopt;
  return Anomaly{.name = "repeated_rows",
                 .where = concat("rows ", twice->first, " and ", twice->second, " of the ", table.name, " set"),
                 .evidence = concat("they are equal; of ", keys.size(), " rows only ", different, " differ"),
                 .cause = "the same rows again and again, as from a reader that starts anew for each batch",
                 .remedy = "look how a row number finds its sample"};
}

// A set that is small beside the validation set, or that cannot tell the classes apart.
std::optional<Anomaly> find_small_set(const DataTable& table, std::span<const Column> columns, Task task,
                                      Index validation_rows) {
  constexpr Index min_rows = 50, enough_rows = 1000, min_per_class = 5;
  const Index rows = table.all_rows;
  const Index classes =
      task == Task::multiclass && table.targets == 1 ? static_cast<Index>(columns[table.inputs].distinct) : 1;
  const bool wide = table.input_shape.rank() == 1 && rows < static_cast<Index>(table.inputs);
  const bool exchanged = 5 * rows < validation_rows && rows < enough_rows;
  if (rows >= min_rows && !wide && !exchanged && rows >= min_per_class * classes) return std::nullopt;
  std::string evidence = counted(rows, "row");
  if (exchanged)
    evidence += concat(", while ", validation_rows, " are held out");
  else if (classes > 1)
    evidence += concat(" of ", classes, " classes, ", table.inputs, " columns");
  else
    evidence += concat(", ", table.inputs, " columns");
  return Anomaly{.name = "small_training_set",
                 .where = "training set",
                 .evidence = std::move(evidence),
                 .cause = exchanged
                              ? "the parts of a split that were exchanged, or a validation_split that is too large: "
                                "it is the share that is held out"
                              : "too few samples: the model can memorise them all",
                 .remedy = exchanged ? "train on the larger part" : "use more rows or a smaller model",
                 .severity = rows < min_rows || exchanged ? Severity::warning : Severity::note};
}

}  // namespace

std::vector<Anomaly> check_row_set(const DataTable& table, std::span<const Column> columns,
                                   std::span<const RowKey> keys, Task task, Index validation_rows) {
  std::vector<Anomaly> found;
  if (auto anomaly = find_repeated_rows(table, columns, keys)) found.push_back(std::move(*anomaly));
  if (auto anomaly = find_small_set(table, columns, task, validation_rows)) found.push_back(std::move(*anomaly));
  return found;
}

std::optional<Anomaly> check_validation_size(Index rows, Index training_rows) {
  constexpr Index warning_rows = 8, note_rows = 10, rows_to_each = 16;
  if (rows >= note_rows) return std::nullopt;
  return Anomaly{
      .name = "small_validation_set",
      .where = "validation set",
      .evidence = counted(rows, "row"),
      .cause = "a loss on so few rows is mostly chance, and with it early stopping and the best weights",
      .remedy = "hold out more rows",
      .severity = rows < warning_rows && training_rows > rows_to_each * rows ? Severity::warning : Severity::note};
}

std::optional<Anomaly> check_order(const DataTable& table, std::span<const Batch> batches, Task task) {
  if (table.targets != 1 || table.size() < 32) return std::nullopt;
  double within = 0, rows = 0, count = 0;
  for (const Batch& batch : batches) {
    const auto targets = batch.targets.span();
    if (targets.size() < 4) continue;
    within += task == Task::regression ? variance(targets) : agreement(targets);
    rows += static_cast<double>(targets.size());
    ++count;
  }
  if (count < 2 || rows < 32) return std::nullopt;
  within /= count;
  const double all = task == Task::regression ? variance(table.target()) : agreement(table.target());
  if (task == Task::regression ? all == 0 : all == 1) return std::nullopt;
  const bool sorted = task == Task::regression ? within < 0.25 * all : within > all + 0.5 * (1 - all);
  if (!sorted) return std::nullopt;
  return Anomaly{
      .name = "sorted_rows",
      .where = "first batches",
      .evidence = task == Task::regression
                      ? concat("variance within a batch ", short_form(within, 3), ", of all ", short_form(all, 3))
                      : concat("two rows of a batch share a class in ", short_form(100 * within, 3),
                               " %, of the set in ", short_form(100 * all, 3), " %"),
      .cause = "rows in the order of their targets, and a data set that does not return the rows that it is asked for",
      .remedy = "return the rows that gather gets, or mix them"};
}

std::optional<Anomaly> check_stability(const Batch& before, const Batch& now) {
  constexpr double max_share = 0.9;
  if (!std::ranges::equal(before.targets.span(), now.targets.span())) return std::nullopt;
  const double changed = median_distance(before, now, 0), usual = median_distance(before, before, 1);
  if (!(changed > max_share * usual) || usual == 0) return std::nullopt;
  return Anomaly{.name = "unstable_data",
                 .where = "first batch",
                 .evidence = concat("read twice, a row differs by ", short_form(changed, 3), ", as two rows do (",
                                    short_form(usual, 3), ")"),
                 .cause = "inputs that are drawn or shuffled anew at each reading, while their targets stay",
                 .remedy = "return input and target of one sample"};
}

std::optional<Anomaly> check_unchanged(const Batch& before, const Batch& now, const Batch& again) {
  constexpr double min_share = 0.05, min_ratio = 2;
  const double changed = median_distance(before, now, 0), usual = median_distance(before, before, 1);
  const double twice = median_distance(now, again, 0);
  if (!(changed > min_share * usual) || !(changed > min_ratio * twice) || usual == 0) return std::nullopt;
  return Anomaly{.name = "unstable_data",
                 .where = "training rows",
                 .evidence = concat("since the start of the run they have moved by ", short_form(changed, 3),
                                    "; two rows differ by ", short_form(usual, 3)),
                 .cause =
                     "a data set whose stored values are changed while it is read, such as an augmentation in place, "
                     "or by the training step: the changes add up",
                 .remedy = "change a copy",
                 .details = concat("two readings in a row differ by ", short_form(twice, 3))};
}

}  // namespace handrail::train
