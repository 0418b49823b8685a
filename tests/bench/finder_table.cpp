// Whether the rate that the LR finder suggests trains as well as the best of a grid, and whether it refuses
// where there is nothing to find: the tables of docs/lr_finder.md. About a minute.
// usage: finder_table [rates] [refusals]; none: both
#include <algorithm>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tasks.h"

using namespace handrail;
using namespace handrail::train;

namespace {

constexpr int seeds = 10;
constexpr double grid[] = {1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2};

struct Task {
  std::string name;
  std::shared_ptr<const Dataset> data;
  std::vector<Index> widths;
  Index epochs;
  Loss loss;
  bool standardize = false;
};

template <class D>
std::shared_ptr<const Dataset> shared(D data) {
  return std::make_shared<D>(std::move(data));
}

std::vector<Task> all_tasks() {
  const auto iris = load_csv(EXAMPLES_DATA "iris.csv", {.targets = {"species"}}).data;
  std::vector<Task> tasks{
      {"digits", shared(bench::digits()), {64, 64, 10}, 20, cross_entropy},
      {"disc and ring", shared(bench::plane(1000, 1)), {2, 32, 32, 2}, 20, cross_entropy},
      {"noisy regression", shared(bench::noisy_regression(1000, 1)), {3, 32, 32, 1}, 20, mse_loss},
      {"iris", shared(iris), {4, 32, 3}, 50, cross_entropy, true}};
  if (bench::have_mnist()) {
    std::vector<Index> rows = all_rows(load_mnist(bench::mnist_folder()).train);
    rows.resize(10'000);
    auto mnist = std::make_shared<ByteDataset>(load_mnist(bench::mnist_folder()).train);
    tasks.push_back({"MNIST, 10,000 rows", shared(Subset(mnist, rows)), {784, 128, 10}, 3, cross_entropy});
  }
  return tasks;
}

nn::Sequential model_for(const Task& task, std::uint64_t seed) {
  nn::Sequential model;
  if (task.standardize) model.push_back(nn::Standardize::fit(*task.data));
  bench::push_mlp(model, task.widths, seed);
  return model;
}

// Every run takes all its epochs, so that runs can be compared.
TrainerOptions options_for(const Task& task, OrAuto<double> lr, std::uint64_t seed) {
  return {.epochs = task.epochs,
          .lr = lr,
          .patience = off,
          .checkpoints = off,
          .seed = seed,
          .metrics_csv = off,
          .sinks = {}};
}

struct Outcome {
  double lr, train_loss, val_loss;  // the last one, the best one
  bool stable;
};

Outcome train_on(const Task& task, OrAuto<double> lr, std::uint64_t seed) {
  nn::Sequential model = model_for(task, seed);
  Trainer trainer{model, task.loss, options_for(task, lr, seed)};
  const FitResult result = trainer.fit(*task.data);
  const auto& counts = result.anomaly_counts;
  return {.lr = result.lr,
          .train_loss = result.train_loss,
          .val_loss = result.best->value,
          .stable = result.reason == StopReason::finished && result.rollbacks == 0 && !counts.contains("divergence") &&
                    !counts.contains("non_finite") && !counts.contains("no_usable_lr")};
}

bool as_good(const Outcome& found, double train_loss, double val_loss) {
  return found.train_loss < 1.5 * train_loss || found.val_loss < 1.25 * val_loss;
}

double sum_of_val_losses(const std::vector<Outcome>& outcomes) {
  double sum = 0;
  for (const Outcome& outcome : outcomes) sum += outcome.val_loss;
  return sum;
}

void print_range(std::vector<double> values, const char* format) {
  std::ranges::sort(values);
  std::printf(format, values[values.size() / 2], values.front(), values.back());
}

void rates_row(const Task& task) {
  std::vector<Outcome> found;
  std::map<double, std::vector<Outcome>> given;  // by rate
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    found.push_back(train_on(task, automatic, seed));
    for (const double lr : grid) given[lr].push_back(train_on(task, lr, seed));
  }
  const auto& [best_lr, best] =
      *std::ranges::min_element(given, {}, [](const auto& outcomes) { return sum_of_val_losses(outcomes.second); });

  std::vector<double> suggestions, train_ratios, val_ratios;
  int stable = 0, as_lowest = 0, as_best = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    double train_loss = 1e300, val_loss = 1e300;  // the lowest of the grid for this seed, at whatever rates
    for (const auto& [lr, outcomes] : given) {
      train_loss = std::min(train_loss, outcomes[i].train_loss);
      val_loss = std::min(val_loss, outcomes[i].val_loss);
    }
    suggestions.push_back(found[i].lr);
    train_ratios.push_back(found[i].train_loss / train_loss);
    val_ratios.push_back(found[i].val_loss / val_loss);
    stable += found[i].stable;
    as_lowest += as_good(found[i], train_loss, val_loss);
    as_best += as_good(found[i], best[i].train_loss, best[i].val_loss);
  }
  std::printf("| %s, %d epochs | ", task.name.c_str(), static_cast<int>(task.epochs));
  print_range(suggestions, "%.1e (%.1e to %.1e) | ");
  std::printf("%d | ", stable);
  print_range(train_ratios, "%.2f (%.2f to %.2f) | ");
  print_range(val_ratios, "%.2f (%.2f to %.2f) | ");
  std::printf("%d | %g | %.2f | %d |\n", as_lowest, best_lr, sum_of_val_losses(found) / sum_of_val_losses(best),
              as_best);
  std::fflush(stdout);
}

void rates() {
  std::printf(
      "\n| task | suggestion: median (range) | stable | train loss / lowest | val_loss / lowest | as good as the "
      "lowest | "
      "best rate | mean val_loss / its | as good as it |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n");
  for (const Task& task : all_tasks()) rates_row(task);
}

// ---- Refusals

void refusal_row(const std::string& name, const std::function<LrFinderResult(std::uint64_t)>& find) {
  int refused = 0;
  std::map<std::string, int> notes;
  std::vector<double> suggestions;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    const LrFinderResult result = find(seed);
    if (result.suggestion)
      suggestions.push_back(*result.suggestion);
    else
      ++refused;
    if (!result.suggestion && refused == 1) std::fprintf(stderr, "%s: %s\n", name.c_str(), result.note.c_str());
  }
  std::printf("| %s | %d |", name.c_str(), refused);
  for (const double lr : suggestions) std::printf(" %.1e", lr);
  std::printf(" |\n");
  std::fflush(stdout);
}

LrFinderResult find(const Task& task, std::uint64_t seed) {
  nn::Sequential model = model_for(task, seed);
  return Trainer{model, task.loss, options_for(task, automatic, seed)}.find_lr(*task.data);
}

LrFinderResult find_after_fit(Task task, std::uint64_t seed) {
  nn::Sequential model = model_for(task, seed);
  Trainer trainer{model, task.loss, options_for(task, automatic, seed)};
  trainer.fit(*task.data);
  return trainer.find_lr(*task.data);
}

// All units of the only layer are dead.
LrFinderResult find_without_gradient(std::uint64_t seed) {
  const Task task{"", shared(bench::noisy_regression(1000, seed)), {3, 1}, 20, mse_loss};
  nn::Sequential model = bench::mlp(task.widths, seed);
  for (const Parameter& p : model.parameters())
    if (p.role == Role::bias) std::ranges::fill(p.tensor.mutable_span(), Scalar(-1000));
  model.push_back(nn::ReLU());
  return Trainer{model, task.loss, options_for(task, automatic, seed)}.find_lr(*task.data);
}

void refusals() {
  std::printf("\n| sweep over | refused | suggestions |\n| --- | --- | --- |\n");
  for (const Task& task : all_tasks())
    refusal_row(task.name + ", after fit", [&](std::uint64_t seed) { return find_after_fit(task, seed); });
  for (const double value : {0.0, 1.0, 100.0})
    refusal_row("targets that are all " + std::to_string(static_cast<int>(value)), [&](std::uint64_t seed) {
      const Tensor inputs = bench::noisy_regression(1000, seed).inputs();
      return find({"",
                   shared(TensorDataset(inputs, Tensor::full({1000, 1}, static_cast<Scalar>(value)))),
                   {3, 32, 1},
                   20,
                   mse_loss},
                  seed);
    });
  refusal_row("labels that are all 0", [&](std::uint64_t seed) {
    const Tensor inputs = bench::plane(1000, seed).inputs();
    return find({"", shared(TensorDataset(inputs, Tensor::full(Shape{1000}, 0))), {2, 32, 2}, 20, cross_entropy}, seed);
  });
  refusal_row("a model without a gradient", find_without_gradient);
}

}  // namespace

int main(int argc, char** argv) try {
  const std::pair<std::string, void (*)()> sections[] = {{"rates", rates}, {"refusals", refusals}};
  const std::vector<std::string> wanted(argv + 1, argv + argc);
  set_num_threads(1);
  for (const auto& [name, print] : sections)
    if (wanted.empty() || std::ranges::count(wanted, name) > 0) print();
} catch (const std::exception& error) {
  std::fprintf(stderr, "finder_table: %s\n", error.what());
  return 1;
}
