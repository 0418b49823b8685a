// The scores of a program whose only option is the number of epochs, and with `refit` too, on the tables of tables.h,
// against figures of another one on the same rows: a table of docs/zero_config.md.
// usage: tables FOLDER [SEEDS [FIGURES.csv]]      FOLDER: what export_tables.py wrote; 20 seeds by default
//        tables FOLDER --write PARTS [SEEDS]      writes the training and test rows of each table and seed as CSV
// FIGURES.csv has rows of table,seed,score, as tuned_torch.py prints them.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "scores/tables.h"

using namespace handrail;
using namespace handrail::train;

namespace {

constexpr Index epochs = 100;

std::pair<Subset, Subset> parts_of(const TensorDataset& data, std::uint64_t seed) {
  return stratified_split(data, 0.2, seed);
}

struct Run {
  double score;  // accuracy or R2, in percent
  FitResult result;
};

Run fit(const bench::ScoredTable& table, const TensorDataset& data, std::uint64_t seed, bool refit) {
  const auto [train_set, test_set] = parts_of(data, seed);
  nn::Sequential model = bench::raw_network(table, train_set, seed);
  TrainerOptions options = bench::options_of(table.classes, epochs, seed);
  options.refit = refit;
  Trainer trainer{model, bench::loss_of(table.classes), std::move(options)};
  FitResult result = trainer.fit(train_set);
  return {.score = bench::score_of(trainer.evaluate(test_set)), .result = std::move(result)};
}

using Scores = std::map<std::pair<std::string, int>, double>;

Scores read_figures(const char* path) {
  Scores scores;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    std::istringstream cells(line);
    std::string table, seed, score;
    std::getline(cells, table, ',');
    std::getline(cells, seed, ',');
    std::getline(cells, score);
    scores[{table, std::atoi(seed.c_str())}] = std::atof(score.c_str());
  }
  return scores;
}

void compare(const std::filesystem::path& folder, int seeds, const Scores& figures) {
  std::printf(
      "| table | rows | columns | other | score | difference | with refit | difference | epochs | lr | warnings (runs) "
      "|\n"
      "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n");
  using bench::mean_of;
  std::vector<double> all, all_refit;
  int runs = 0, warned = 0;
  for (const bench::ScoredTable& table : bench::scored_tables(folder)) {
    const TensorDataset data = table.read();
    std::vector<double> score, refit, other, difference, refit_difference, lr, ended;
    std::map<std::string, int> warnings;
    for (int seed = 1; seed <= seeds; ++seed) {
      const Run run = fit(table, data, static_cast<std::uint64_t>(seed), false);
      score.push_back(run.score);
      refit.push_back(fit(table, data, static_cast<std::uint64_t>(seed), true).score);
      lr.push_back(std::log10(run.result.lr));
      ended.push_back(static_cast<double>(run.result.epochs));
      if (const auto figure = figures.find({table.name, seed}); figure != figures.end()) {
        other.push_back(figure->second);
        difference.push_back(run.score - figure->second);
        refit_difference.push_back(refit.back() - figure->second);
      }
      bool any = false;
      for (const Anomaly& anomaly : run.result.diagnosis())
        if (anomaly.severity == Severity::warning) ++warnings[anomaly.name], any = true;
      ++runs;
      warned += any ? 1 : 0;
    }
    const Moments by_default = mean_of(difference), by_refit = mean_of(refit_difference);
    std::printf("| %s | %td | %td | %.2f | %.2f | %+.2f ± %.2f | %.2f | %+.2f ± %.2f | %.0f | %.1e |",
                table.name.c_str(), data.size(), data.input_shape().size(), mean_of(other).mean, mean_of(score).mean,
                by_default.mean, by_default.error, mean_of(refit).mean, by_refit.mean, by_refit.error,
                mean_of(ended).mean, std::pow(10, mean_of(lr).mean));
    for (const auto& [name, count] : warnings) std::printf(" %s %d", name.c_str(), count);
    std::printf(" |\n");
    std::fflush(stdout);
    all.push_back(by_default.mean);
    all_refit.push_back(by_refit.mean);
  }
  std::printf("\nMean difference %+.2f, with refit %+.2f; %d of %d runs with a warning\n", mean_of(all).mean,
              mean_of(all_refit).mean, warned, runs);
}

void write(const std::filesystem::path& folder, const std::filesystem::path& to, int seeds) {
  std::filesystem::create_directories(to);
  for (const bench::ScoredTable& table : bench::scored_tables(folder)) {
    const TensorDataset data = table.read();
    for (int seed = 1; seed <= seeds; ++seed) {
      const auto parts = parts_of(data, static_cast<std::uint64_t>(seed));
      for (const auto& [name, part] : {std::pair{"train", &parts.first}, std::pair{"test", &parts.second}}) {
        const Batch rows = first_samples(*part, part->size());
        std::ofstream file(to / (table.name + "-" + std::to_string(seed) + "-" + name + ".csv"));
        file.precision(9);
        for (Index i = 0; i < part->size(); ++i) {
          for (Index j = 0; j < data.input_shape().size(); ++j) file << rows.inputs.at({i, j}) << ',';
          file << rows.targets.data()[i] << '\n';
        }
      }
    }
  }
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 2) {
    std::fprintf(stderr, "usage: tables FOLDER [SEEDS [FIGURES.csv]] | tables FOLDER --write PARTS [SEEDS]\n");
    return 2;
  }
  set_num_threads(1);
  if (argc > 3 && std::string(argv[2]) == "--write")
    write(argv[1], argv[3], argc > 4 ? std::atoi(argv[4]) : 20);
  else
    compare(argv[1], argc > 2 ? std::atoi(argv[2]) : 20, argc > 3 ? read_figures(argv[3]) : Scores{});
} catch (const std::exception& error) {
  std::fprintf(stderr, "tables: %s\n", error.what());
  return 1;
}
