// What the rate of the LR finder costs against the best single rate of seven: a table of docs/lr_finder.md. The last
// column is what the rate costs that is the best one of as many other seeds: no rule can know more of a table.
// usage: finder_regret FOLDER [SEEDS]      FOLDER: what export_tables.py wrote; 20 seeds by default
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "scores/tables.h"

using namespace handrail;
using namespace handrail::train;

namespace {

constexpr double rates[] = {1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1};
constexpr std::size_t count = std::size(rates);

struct Run {
  double score;  // accuracy or R2 on the test rows, in percent
  double lr;
};

Run run(const bench::ScoredTable& table, const TensorDataset& data, std::uint64_t seed, OrAuto<double> lr) {
  const auto [train_set, test_set] = stratified_split(data, 0.2, seed);
  nn::Sequential model = bench::scaled_network(table, train_set, seed);
  TrainerOptions options = bench::options_of(table.classes, 100, seed);
  options.lr = lr;
  options.lr_scaling = LrScaling::none;
  options.checks.settings = off;  // no second sweep for a rate that is given
  Trainer trainer{model, bench::loss_of(table.classes), options};
  const double peak = trainer.fit(train_set).lr;
  return {bench::score_of(trainer.evaluate(test_set)), peak};
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 2) {
    std::fprintf(stderr, "usage: finder_regret FOLDER [SEEDS]\n");
    return 2;
  }
  set_num_threads(1);
  const int seeds = argc > 2 ? std::atoi(argv[2]) : 20;
  std::printf("| table | found: score | rates found |");
  for (const double rate : rates) std::printf(" %.0e |", rate);
  std::printf(" regret | of other seeds |\n| --- | --- | --- |");
  for (std::size_t r = 0; r < count; ++r) std::printf(" --- |");
  std::printf(" --- | --- |\n");
  double total = 0, worst = 0, total_known = 0, worst_known = 0;
  const std::vector<bench::ScoredTable> tables = bench::scored_tables(argv[1]);
  for (const bench::ScoredTable& table : tables) {
    const TensorDataset data = table.read();
    double found = 0, low = 1e300, high = 0, given[count] = {}, others[count] = {};
    for (int s = 1; s <= seeds; ++s) {
      const auto seed = static_cast<std::uint64_t>(s);
      const Run by_finder = run(table, data, seed, automatic);
      found += by_finder.score / seeds;
      low = std::min(low, by_finder.lr);
      high = std::max(high, by_finder.lr);
      for (std::size_t r = 0; r < count; ++r) {
        given[r] += run(table, data, seed, rates[r]).score / seeds;
        others[r] += run(table, data, seed + static_cast<std::uint64_t>(seeds), rates[r]).score / seeds;
      }
    }
    std::printf("| %s | %.2f | %.1e to %.1e |", table.name.c_str(), found, low, high);
    for (const double score : given) std::printf(" %.2f |", score);
    const double best = std::ranges::max(given), regret = best - found;
    const double known = best - given[std::ranges::max_element(others) - others];
    std::printf(" %.2f | %.2f |\n", regret, known);
    std::fflush(stdout);
    total += regret;
    worst = std::max(worst, regret);
    total_known += known;
    worst_known = std::max(worst_known, known);
  }
  const auto n = static_cast<double>(tables.size());
  std::printf("\nMean regret %.2f, worst %.2f; of the best rate of other seeds %.2f, worst %.2f\n", total / n, worst,
              total_known / n, worst_known);
} catch (const std::exception& error) {
  std::fprintf(stderr, "finder_regret: %s\n", error.what());
  return 1;
}
