// What TrainerOptions::refit gains on the tables of tables.h, and what other lengths of the second fit would gain: the
// second table of docs/early_stopping.md. About a minute.
// usage: refit FOLDER [SEEDS [FIRST]]      FOLDER: what export_tables.py wrote; the seeds 1 to 20 by default
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "scores/tables.h"

using namespace handrail;
using namespace handrail::train;

namespace {

constexpr Index epochs = 100;
constexpr double significant = 1.645;  // standard errors, one-sided 95 %

// What a seed has shown: scores in percent.
struct Outcome {
  double first, refit, as_best, as_first, all, or_first;
  double loss_of_first, loss_of_refit;
};

// Remembers the first and only fit that sinks are told of.
struct Losses : LogSink {
  bench::LowestLoss lowest;
  std::vector<double> last;

  void evaluated(const EvaluationStats& stats) override {
    last = stats.evaluation.group_losses;
    lowest.add(stats);
  }
  bool has_risen() const {
    const Moments rise = lowest.rise(last);
    return rise.mean > significant * rise.error;
  }
};

Outcome run(const bench::ScoredTable& table, const TensorDataset& data, std::uint64_t seed) {
  const auto split = stratified_split(data, 0.2, seed);
  const auto fit = [&](TrainerOptions options) {
    nn::Sequential model = bench::scaled_network(table, split.first, seed);
    Trainer trainer{model, bench::loss_of(table.classes), std::move(options)};
    FitResult result = trainer.fit(split.first);
    return std::pair(std::move(result), trainer.evaluate(split.second));
  };
  TrainerOptions options = bench::options_of(table.classes, epochs, seed);
  const auto losses = std::make_shared<Losses>();
  options.sinks = {losses};
  const auto single = fit(options);
  const FitResult& result = single.first;
  options.sinks = {};
  const auto second = [&](Index length) {
    TrainerOptions again = options;
    again.epochs = length;
    again.lr = result.lr;
    again.lr_scaling = LrScaling::none;
    again.validation_split = off;
    return bench::score_of(fit(again).second);
  };
  TrainerOptions twice = options;
  twice.refit = true;
  const Evaluation both = fit(twice).second;
  const double first = bench::score_of(single.second), refitted = bench::score_of(both);
  return {.first = first,
          .refit = refitted,
          .as_best = second(result.best->epoch),
          .as_first = second(result.epochs),
          .all = second(epochs),
          .or_first = losses->has_risen() ? first : refitted,
          .loss_of_first = single.second.loss,
          .loss_of_refit = both.loss};
}

// Prints the columns of a table, or of all of them, whose losses have other units.
void print(const char* name, const std::vector<Outcome>& all, bool has_loss = true) {
  const auto column = [&](auto&& value) {
    std::vector<double> values;
    for (const Outcome& one : all) values.push_back(value(one));
    return bench::mean_of(values);
  };
  const auto gain = [&](double Outcome::*rule) { return column([=](const Outcome& o) { return o.*rule - o.first; }); };
  const Moments refit = gain(&Outcome::refit);
  const double loss = 100 * (column([](const Outcome& o) { return o.loss_of_refit; }).mean /
                                 column([](const Outcome& o) { return o.loss_of_first; }).mean -
                             1);
  std::printf("| %s | %.2f | %+.2f ± %.2f | ", name, column([](const Outcome& o) { return o.first; }).mean, refit.mean,
              refit.error);
  if (has_loss) std::printf("%+.1f %% ", loss);
  std::printf("| %+.2f | %+.2f | %+.2f | %+.2f |\n", gain(&Outcome::or_first).mean, gain(&Outcome::as_best).mean,
              gain(&Outcome::as_first).mean, gain(&Outcome::all).mean);
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 2) {
    std::fprintf(stderr, "usage: refit FOLDER [SEEDS [FIRST]]\n");
    return 2;
  }
  set_num_threads(1);
  const int seeds = argc > 2 ? std::atoi(argv[2]) : 20, first = argc > 3 ? std::atoi(argv[3]) : 1;
  std::printf(
      "| table | one fit | **refit** | its test loss | none when the loss has risen | epochs of the best | all epochs "
      "of "
      "the first | 100 epochs |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n");
  std::vector<Outcome> all;
  for (const bench::ScoredTable& table : bench::scored_tables(argv[1])) {
    const TensorDataset data = table.read();
    std::vector<Outcome> outcomes;
    for (int seed = first; seed < first + seeds; ++seed)
      outcomes.push_back(run(table, data, static_cast<std::uint64_t>(seed)));
    print(table.name.c_str(), outcomes);
    all.insert(all.end(), outcomes.begin(), outcomes.end());
  }
  print("**mean**", all, false);
} catch (const std::exception& error) {
  std::fprintf(stderr, "refit: %s\n", error.what());
  return 1;
}
