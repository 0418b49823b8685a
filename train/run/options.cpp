#include <handrail/train/run/options.h>

#include <algorithm>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>

#include <handrail/core/error.h>
#include <handrail/core/random.h>
#include <handrail/train/data/internal/normalization.h>

namespace handrail::train {
namespace {

// Whether a higher or a lower value is better, when the name tells: for losses, accuracies and metrics of the library.
std::optional<MonitorMode> mode_of(std::string_view monitor) {
  if (monitor.ends_with("accuracy")) return MonitorMode::max;
  if (monitor.ends_with("loss")) return MonitorMode::min;
  std::string_view name = monitor.substr(std::min(monitor.size(), monitor.find('_') + 1));
  for (const std::string_view average : {"_macro", "_micro", "_weighted"})
    if (name.ends_with(average)) name.remove_suffix(average.size());
  for (const std::string_view metric : {"f1", "precision", "recall", "auc", "r2"})
    if (name == metric) return MonitorMode::max;
  for (const std::string_view metric : {"mae", "mse", "rmse"})
    if (name == metric) return MonitorMode::min;
  return std::nullopt;
}

// The value of an option as a number, to compare with its range; nothing when it is no number.
template <class T>
std::optional<double> number(const T& value) {
  if constexpr (std::is_arithmetic_v<T> && !std::is_same_v<T, bool>)
    return static_cast<double>(value);
  else
    return std::nullopt;
}
template <class T, class None>
std::optional<double> number(const ValueOr<T, None>& value) {
  return value ? number(*value) : std::nullopt;
}

}  // namespace

Seed random_seed() {
  std::random_device entropy;
  Seed seed = (std::uint64_t{entropy()} << 32) | entropy();
  seed.drawn = true;
  return seed;
}

Seed derived_seed(Seed seed, Index number) {
  const auto words =
      random_block({.seed = seed, .stream = Stream::part, .position = static_cast<std::uint64_t>(number)}, 0);
  Seed derived = (std::uint64_t{words[0]} << 32) | words[1];
  derived.drawn = seed.drawn;
  return derived;
}

bool is_training_figure(std::string_view monitor) { return monitor.starts_with("train_"); }

std::string monitor_problem(const std::string& monitor) {
  return monitor.empty() ? " to be the name of a value, such as val_loss; got an empty name" : "";
}

std::string mode_problem(MonitorMode mode, const std::string& monitor) {
  const auto wanted = mode_of(monitor);
  if (!wanted || *wanted == mode) return {};
  return concat(" = ", option_text(*wanted), " with monitor '", monitor, "'; got ", option_text(mode));
}

std::string metrics_problem(const std::vector<Metric>& metrics) {
  std::string problem;
  std::set<std::string> seen{"loss", "accuracy"};
  const auto add = [&](const auto&... text) { problem += concat(problem.empty() ? "" : "\n  want metrics", text...); };
  for (const Metric& metric : metrics) {
    const std::string name = metric.name();
    if (name.empty()) add(" with names; got one without");
    if (!seen.insert(name).second)
      add(" of different names, and none of loss and accuracy, which are always there; got '", name,
          name == "loss" || name == "accuracy" ? "'" : "' twice");
  }
  return problem;
}

std::string normalization_problem(const std::optional<Normalization>& normalization) {
  return normalization ? problem_of(*normalization) : "";
}

std::string table_problem(const std::optional<TableEncoder>& table) {
  const std::string problem = table ? table->problem() : "";
  return problem.empty() ? "" : " that load_csv or load_table made; " + problem;
}

std::string sinks_problem(const LogSinks& sinks) {
  return std::ranges::count(sinks, nullptr) > 0 ? " that are not null" : "";
}

void validate(const TrainerOptions& options) {
  std::string wrong;
  visit_options(options, [&](const OptionInfo& info, const auto& value) {
    if (const auto got = number(value); got && !info.range.contains(*got))
      wrong += concat("\n  want ", info.name, info.range.text(), info.unit, "; got ", option_text(*got),
                      info.hint.empty() ? "" : "; ", info.hint);
    if (!info.problem.empty()) wrong += concat("\n  want ", info.name, info.problem);
  });
  if (!wrong.empty()) fail<OptionError>("TrainerOptions:", wrong);
}

}  // namespace handrail::train
