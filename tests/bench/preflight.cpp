// What the checks of data, model and settings before the first step take: a table of docs/overhead.md.
// usage: preflight FOLDER [ROUNDS]      FOLDER: what export_tables.py wrote; 5 rounds by default
// "before" is the time from the call of fit to the first step with a given rate, with all checks and without any, the
// medians of the rounds, which take turns. The fit is one with all defaults, so also with the sweep for the rate.
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "model.h"
#include "scores/tables.h"
#include "workload.h"

using namespace handrail;
using namespace handrail::train;

namespace {

struct Task {
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

Times fit(const Task& task, OrAuto<double> lr, bool checks) {
  nn::Sequential model = task.make_model();
  const auto first = std::make_shared<FirstStep>();
  TrainerOptions options{.epochs = task.epochs, .lr = lr, .checkpoints = off, .metrics_csv = off, .sinks = {first}};
  if (!checks)
    visit_options(options.checks, [](const OptionInfo&, auto& check) {
      if constexpr (std::is_same_v<std::remove_reference_t<decltype(check)>, bool>) check = false;
    });
  Trainer trainer{model, task.loss, options};
  const double start = bench::now();
  trainer.fit(task.data);
  return {.before = 1e3 * (first->time - start), .whole = 1e3 * (bench::now() - start)};
}

std::vector<Task> tasks(const std::filesystem::path& folder) {
  std::vector<Task> all;
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
      "| data | rows | columns | before, ms: checked | unchecked | checks | a fit, ms | checks of it |\n"
      "| --- | --- | --- | --- | --- | --- | --- | --- |\n");
  for (const Task& task : tasks(argv[1])) {
    std::vector<double> checked, unchecked, whole;
    for (int round = 0; round < rounds; ++round) {
      checked.push_back(fit(task, 1e-3, true).before);
      unchecked.push_back(fit(task, 1e-3, false).before);
      whole.push_back(fit(task, automatic, true).whole);
    }
    const double with = median(checked), without = median(unchecked), fits = median(whole);
    std::printf("| %s | %ld | %ld | %.1f | %.1f | %.1f | %.0f | %.1f %% |\n", task.name.c_str(),
                static_cast<long>(task.data.size()), static_cast<long>(task.data.input_shape().size()), with, without,
                with - without, fits, 100 * (with - without) / fits);
    std::fflush(stdout);
  }
} catch (const std::exception& error) {
  std::fprintf(stderr, "preflight: %s\n", error.what());
  return 1;
}
