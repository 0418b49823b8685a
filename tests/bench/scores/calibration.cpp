// What TrainerOptions::calibrate and balance_classes do on the classes of tables.h: the tables of docs/calibration.md.
// About a minute. usage: calibration FOLDER [SEEDS [FIRST]]      FOLDER: what export_tables.py wrote; the seeds 1 to 20
// by default
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "scores/tables.h"

using namespace handrail;
using namespace handrail::train;

namespace {

struct Fitted {
  FitResult result;
  Evaluation test;
  double recall;  // the mean over the classes
};

struct Outcome {
  Fitted plain, calibrated;
  std::optional<Fitted> balanced;
};

// to_the_end: with the weights of the last epoch, and 20 % held out.
Outcome run(const bench::ScoredTable& table, const TensorDataset& data, std::uint64_t seed, bool to_the_end) {
  const auto split = stratified_split(data, 0.2, seed);
  const auto fit = [&](bool calibrate, bool balance) {
    nn::Sequential model = bench::scaled_network(table, split.first, seed);
    TrainerOptions options = bench::options_of(table.classes, 100, seed);
    options.metrics = {Recall{.average = Average::macro}};
    options.calibrate = calibrate;
    options.balance_classes = balance;
    if (to_the_end) {
      options.validation_split = 0.2;
      options.patience = off;
      options.restore_best = false;
    }
    Trainer trainer{model, cross_entropy, std::move(options)};
    FitResult result = trainer.fit(split.first);
    Evaluation test = trainer.evaluate(split.second);
    const double recall = 100 * test.metric("recall_macro");
    return Fitted{std::move(result), std::move(test), recall};
  };
  return {fit(false, false), fit(true, false), to_the_end ? std::nullopt : std::optional(fit(false, true))};
}

template <class Value>
double mean(const std::vector<Outcome>& all, Value&& value) {
  std::vector<double> values;
  for (const Outcome& one : all) values.push_back(value(one));
  return bench::mean_of(values).mean;
}

void print_calibration(const char* name, const std::vector<Outcome>& all) {
  const auto of = [&](auto&& value) { return mean(all, value); };
  const double kept = of([](const Outcome& o) { return o.calibrated.result.calibration->kept ? 1.0 : 0.0; });
  std::printf("| %s | %.2f | %.0f %% | %.3f | %.3f | %.4f | %.4f |\n", name,
              of([](const Outcome& o) { return o.calibrated.result.calibration->temperature; }), 100 * kept,
              of([](const Outcome& o) { return o.plain.test.calibration_error(); }),
              of([](const Outcome& o) { return o.calibrated.test.calibration_error(); }),
              of([](const Outcome& o) { return o.plain.test.loss; }),
              of([](const Outcome& o) { return o.calibrated.test.loss; }));
  std::fflush(stdout);
}

void print_balance(const char* name, const std::vector<Outcome>& all) {
  const auto of = [&](auto&& value) { return mean(all, value); };
  std::printf(
      "| %s | %.2f | %.2f | %.2f | %.2f |\n", name, of([](const Outcome& o) { return 100 * o.plain.test.accuracy(); }),
      of([](const Outcome& o) { return 100 * o.balanced->test.accuracy(); }),
      of([](const Outcome& o) { return o.plain.recall; }), of([](const Outcome& o) { return o.balanced->recall; }));
}

using Tables = std::vector<std::pair<std::string, std::vector<Outcome>>>;  // by name, the last of all of them

Tables run_all(const std::vector<bench::ScoredTable>& scored, int seeds, int first, bool to_the_end) {
  std::printf(
      "| table | temperature | used | calibration error: before | after | test loss: before | after |\n"
      "| --- | --- | --- | --- | --- | --- | --- |\n");
  Tables tables;
  std::vector<Outcome> all;
  for (const bench::ScoredTable& table : scored) {
    if (table.classes == 0) continue;
    const TensorDataset data = table.read();
    auto& [name, outcomes] = tables.emplace_back(table.name, std::vector<Outcome>());
    for (int seed = first; seed < first + seeds; ++seed)
      outcomes.push_back(run(table, data, static_cast<std::uint64_t>(seed), to_the_end));
    print_calibration(name.c_str(), outcomes);
    all.insert(all.end(), outcomes.begin(), outcomes.end());
  }
  print_calibration("**mean**", all);
  tables.emplace_back("**mean**", std::move(all));
  std::printf("\n");
  return tables;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 2) {
    std::fprintf(stderr, "usage: calibration FOLDER [SEEDS [FIRST]]\n");
    return 2;
  }
  set_num_threads(1);
  const int seeds = argc > 2 ? std::atoi(argv[2]) : 20, first = argc > 3 ? std::atoi(argv[3]) : 1;
  const std::vector<bench::ScoredTable> scored = bench::scored_tables(argv[1]);
  run_all(scored, seeds, first, true);
  const Tables tables = run_all(scored, seeds, first, false);
  std::printf(
      "| table | accuracy | balanced | mean recall | balanced |\n"
      "| --- | --- | --- | --- | --- |\n");
  for (const auto& [name, outcomes] : tables) print_balance(name.c_str(), outcomes);
} catch (const std::exception& error) {
  std::fprintf(stderr, "calibration: %s\n", error.what());
  return 1;
}
