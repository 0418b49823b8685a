// How long the checks of data, model and settings and the sweep for the rate take: a table of docs/overhead.md.
// usage: preflight FOLDER [ROUNDS]      FOLDER: what export_tables.py wrote; 5 rounds by default
// Medians of the rounds, of the time from the call of fit to the first step: with a given rate and without checks, then
// with the sweep, then with the checks too, which is a fit with all defaults.
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "../../support/no_checks.h"
#include "model.h"
#include "scores/tables.h"
#include "workload.h"

using namespace handrail;
using namespace handrail::train;

namespace {

struct FittedData {
  std::string name;
  Index epochs;
  TensorDataset data;
  Loss loss;
  std::function<nn::Sequential()> make_model;
};

// Notes when the first step begins.
struct FirstStep final : LogSink {
  double time = 0;
  void train_start(const TrainStart&) override { time = bench::now(); }
};

struct Times {
  double before, whole;  // milliseconds
};

Times fit(const FittedData& task, OrAuto<double> lr, bool checks) {
  nn::Sequential model = task.make_model();
  const auto first = std::make_shared<FirstStep>();
  TrainerOptions options{.epochs = task.epochs, .lr = lr, .checkpoints = off, .metrics_csv = off, .sinks = {first}};
  if (!checks) options.checks = no_checks();
  Trainer trainer{model, task.loss, options};
  const double start = bench::now();
  trainer.fit(task.data);
  return {.before = 1e3 * (first->time - start), .whole = 1e3 * (bench::now() - start)};
}

std::vector<FittedData> tasks(const std::filesystem::path& folder) {
  std::vector<FittedData> all;
  for (const bench::ScoredTable& table : bench::scored_tables(folder)) {
    const TensorDataset data = table.read();
    all.push_back(
        {table.name, 100, data, bench::loss_of(table.classes), [=] { return bench::scaled_network(table, data, 1); }});
  }
  for (const char* name : {"T2", "T3", "T4"}) {
    const bench::Workload w = bench::workload(name);
    constexpr Index rows = 20'000;
    Rng rng(1);
    const Tensor inputs = normal({rows, w.widths.front()}, 0, 1, rng), targets(Shape{rows});
    for (Index i = 0; i < rows; ++i) targets.mutable_data()[i] = static_cast<Scalar>(inputs.at({i, 0}) > 0 ? 5 : 0);
    all.push_back({std::string(name) + ", 20,000 rows", 10, {inputs, targets}, cross_entropy, [=] {
                     return bench::mlp(w.widths);
                   }});
  }
  return all;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 2) {
    std::fprintf(stderr, "usage: preflight FOLDER [ROUNDS]\n");
    return 2;
  }
  set_num_threads(1);
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 5;
  std::printf(
      "| data | rows | columns | a fit, ms | neither, ms | checks, ms | checks of the fit | sweep, ms | sweep of the "
      "fit |\n"
      "| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n");
  for (const FittedData& task : tasks(argv[1])) {
    std::vector<double> neither, swept, checked, whole;
    for (int round = 0; round < rounds; ++round) {
      neither.push_back(fit(task, 1e-3, false).before);
      swept.push_back(fit(task, automatic, false).before);
      const Times times = fit(task, automatic, true);
      checked.push_back(times.before);
      whole.push_back(times.whole);
    }
    const double fits = median(whole), base = median(neither), with = median(swept);
    const double sweep = with - base, checks = median(checked) - with;
    std::printf("| %s | %ld | %ld | %.0f | %.1f | %.1f | %.1f %% | %.1f | %.1f %% |\n", task.name.c_str(),
                static_cast<long>(task.data.size()), static_cast<long>(task.data.input_shape().size()), fits, base,
                checks, 100 * checks / fits, sweep, 100 * sweep / fits);
    std::fflush(stdout);
  }
} catch (const std::exception& error) {
  std::fprintf(stderr, "preflight: %s\n", error.what());
  return 1;
}
