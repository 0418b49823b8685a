// What a given rate that is far off comes to, and whether it is named; and which plateaus are named under the noise of
// real batches: the tables of docs/guards.md. Nine tasks, three seeds each. About a minute.
#include <algorithm>
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "nine_tasks.h"

using namespace handrail;
using train::FitResult, train::TrainerOptions;

namespace {

constexpr std::uint64_t seeds = 3;

struct Frozen : train::Trainer {
  using Trainer::Trainer;
  optim::Schedule configure_schedule(double lr, std::int64_t planned_steps) override {
    const auto schedule = Trainer::configure_schedule(lr, planned_steps);
    return [=](std::int64_t step) { return step > planned_steps / 10 ? 0.0 : schedule(step); };
  }
};

TrainerOptions options(const bench::VariedTask& task, std::uint64_t seed) {
  return {.epochs = task.epochs,
          .lr_scaling = train::LrScaling::none,
          .checkpoints = train::off,
          .seed = seed,
          .metrics_csv = train::off,
          .sinks = {}};
}

template <class T = train::Trainer>
FitResult fit(const bench::VariedTask& task, std::uint64_t seed, TrainerOptions given) {
  auto model = task.model(seed);
  return T(model, task.loss, std::move(given)).fit(*task.data);
}

bool has(const FitResult& result, const std::string& name) { return result.anomaly_counts.contains(name); }

// Points of accuracy lost; of a regression 100 times the share of the targets' variance that is lost, about.
double lost(const FitResult& result, const FitResult& best) {
  if (!result.best) return 100;
  if (best.best->evaluation.measured_accuracy)
    return 100 * (*best.best->evaluation.measured_accuracy - *result.best->evaluation.measured_accuracy);
  return 100 * (result.best->value - best.best->value);
}

struct Arm {
  const char* name;
  double lr, factor;  // the rate is lr, or factor times the one found
};

void rate_table(const std::vector<bench::VariedTask>& tasks, bool sgd) {
  const Arm arms[] = {{"1e-3", 1e-3, 0},     {"1e-2", 1e-2, 0},       {"1e-4", 1e-4, 0},       {"1", 1, 0},
                      {"found x 30", 0, 30}, {"found x 100", 0, 100}, {"found / 100", 0, 0.01}};
  struct Row {
    int runs = 0, high = 0, low = 0, rollbacks = 0;
    std::vector<double> lost;
  };
  std::vector<Row> rows(std::size(arms));
  int healthy_rollbacks = 0;
  for (const auto& task : tasks)
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
      TrainerOptions given = options(task, seed);
      if (sgd) given.optimizer = train::with<optim::SGD>({.momentum = 0.9});
      const FitResult found = fit(task, seed, given);
      healthy_rollbacks += found.rollbacks > 0;
      for (std::size_t i = 0; i < rows.size(); ++i) {
        if (arms[i].factor > 0 && has(found, "no_usable_lr")) continue;  // nothing was found to plant a fault with
        given.lr = arms[i].factor > 0 ? found.lr * arms[i].factor : arms[i].lr;
        const FitResult result = fit(task, seed, given);
        Row& row = rows[i];
        ++row.runs;
        row.high += has(result, "lr_too_high");
        row.low += has(result, "lr_too_low");
        row.rollbacks += result.rollbacks > 0;
        row.lost.push_back(lost(result, found));
      }
    }
  std::printf("\n%s: runs with the rate found that rolled back: %d of %zu\n\n", sgd ? "SGD, momentum 0.9" : "AdamW",
              healthy_rollbacks, tasks.size() * seeds);
  std::printf(
      "| lr | runs | lr_too_high | lr_too_low | rolled back | points lost: median | largest |\n"
      "| --- | --- | --- | --- | --- | --- | --- |\n");
  for (std::size_t i = 0; i < rows.size(); ++i) {
    Row& row = rows[i];
    std::ranges::sort(row.lost);
    std::printf("| %s | %d | %d | %d | %d | %.1f | %.1f |\n", arms[i].name, row.runs, row.high, row.low, row.rollbacks,
                row.lost[row.lost.size() / 2], row.lost.back());
  }
  std::fflush(stdout);
}

void plateau_table(const std::vector<bench::VariedTask>& tasks) {
  int frozen = 0, healthy = 0, long_runs = 0, runs = 0;
  for (const auto& task : tasks)
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
      ++runs;
      TrainerOptions given = options(task, seed);
      frozen += has(fit<Frozen>(task, seed, given), "plateau");
      healthy += has(fit(task, seed, given), "plateau");
      given.lr = 1e-3;
      healthy += has(fit(task, seed, given), "plateau");
      given.lr = 3e-3;
      given.epochs *= 3;
      given.patience = train::off;
      long_runs += has(fit(task, seed, given), "plateau");
    }
  std::printf(
      "\n| runs | plateaus named |\n| --- | --- |\n| rate 0 from 10 %% on | %d of %d |\n"
      "| healthy, rate found or 1e-3 | %d of %d |\n| healthy, 3e-3, three times the epochs | %d of %d |\n",
      frozen, runs, healthy, 2 * runs, long_runs, runs);
}

}  // namespace

int main() try {
  set_num_threads(1);
  const auto tasks = bench::nine_tasks();
  rate_table(tasks, false);
  rate_table(tasks, true);
  plateau_table(tasks);
} catch (const std::exception& error) {
  std::fprintf(stderr, "given_rates: %s\n", error.what());
  return 1;
}
