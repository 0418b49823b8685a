// What fit_ensemble gains on the tables of tables.h, and how often the interval of cross_validate covers what it is
// for: the tables of docs/cross_validation.md.
//
// usage: several_fits ensembles FOLDER [SEEDS]      FOLDER: what export_tables.py wrote; 10 seeds by default
//        several_fits intervals [DATA_SETS]         300 by default
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "scores/tables.h"

using namespace handrail;
using namespace handrail::train;

namespace {

using bench::loss_of, bench::mean_of, bench::options_of, bench::score_of;

ModelMaker small_network(Index classes) {
  return [classes](Rng& rng, const Dataset& rows) {
    nn::Sequential model{nn::Standardize::fit(rows)};
    model.push_back(nn::Linear{rows.input_shape().size(), 32, rng});
    model.push_back(nn::ReLU{});
    model.push_back(nn::Linear{32, std::max<Index>(classes, 1), rng});
    return model;
  };
}

void ensembles(const std::filesystem::path& folder, int seeds) {
  constexpr Index epochs = 100;
  std::printf(
      "| table | one model | ensemble of 5 | difference | loss of one | of the ensemble |\n"
      "| --- | --- | --- | --- | --- | --- |\n");
  std::vector<double> all;
  for (const bench::ScoredTable& table : bench::scored_tables(folder)) {
    const TensorDataset data = table.read();
    std::vector<double> one, five, gain, loss_one, loss_five;
    for (int s = 1; s <= seeds; ++s) {
      const auto seed = static_cast<std::uint64_t>(s);
      const auto [train_set, test_set] = stratified_split(data, 0.2, seed);
      const ModelMaker make = small_network(table.classes);
      const TrainerOptions options = options_of(table.classes, epochs, seed);
      Rng rng(seed);
      const auto model = make(rng, &train_set);
      Trainer trainer{*model, loss_of(table.classes), options};
      trainer.fit(train_set);
      const Evaluation single = trainer.evaluate(test_set);
      const Evaluation mean = fit_ensemble(make, loss_of(table.classes), options, train_set).evaluate(test_set);
      one.push_back(score_of(single));
      five.push_back(score_of(mean));
      gain.push_back(five.back() - one.back());
      loss_one.push_back(single.loss);
      loss_five.push_back(mean.loss);
    }
    const Moments gained = mean_of(gain);
    std::printf("| %s | %.2f | %.2f | %+.2f ± %.2f | %.4g | %.4g |\n", table.name.c_str(), mean_of(one).mean,
                mean_of(five).mean, gained.mean, gained.error, mean_of(loss_one).mean, mean_of(loss_five).mean);
    std::fflush(stdout);
    all.push_back(gained.mean);
  }
  std::printf("| all | | | %+.2f ± %.2f | | |\n", mean_of(all).mean, mean_of(all).error);
}

// The mean of the cross-validations of all data sets is what each of them estimates. The interval of Nadeau and Bengio
// is compared with that of independent folds.
void intervals(int data_sets) {
  struct Generator {
    std::string name;
    Index rows, columns, classes;
    std::function<double(const Scalar* row, Rng& rng)> target;
  };
  using bench::detail::x;
  const Generator generators[] = {
      {"line, 10 % of the labels turned over", 100, 4, 2,
       [](const Scalar* r, Rng& rng) { return (x(r, 0) + x(r, 1) > 0) != (rng.uniform() < 0.1) ? 1.0 : 0.0; }},
      {"circle", 200, 2, 2, [](const Scalar* r, Rng&) { return std::hypot(x(r, 0), x(r, 1)) < 1.18 ? 1.0 : 0.0; }},
      {"three classes by scores", 150, 5, 3, bench::detail::LinearScores(3, 3, 0.3, 31)},
      {"noisy regression", 200, 4, 0,
       [](const Scalar* r, Rng& rng) { return std::sin(2 * x(r, 0)) + x(r, 1) + rng.normal(); }}};
  std::printf(
      "| data | rows | folds | figure | mean | covered | covered if folds were independent |\n"
      "| --- | --- | --- | --- | --- | --- | --- |\n");
  for (const Generator& generator : generators)
    for (const Index folds : {5, 10}) {
      std::vector<std::vector<Score>> found(2);
      for (int d = 0; d < data_sets; ++d) {
        const auto seed = static_cast<std::uint64_t>(1000 + d);
        const TensorDataset data =
            bench::detail::table(generator.rows, generator.columns, generator.classes, seed,
                                 [&](Scalar* row, Rng& rng) { return generator.target(row, rng); });
        const CrossValidation result = cross_validate(small_network(generator.classes), loss_of(generator.classes),
                                                      options_of(generator.classes, 30, seed), data, {.folds = folds});
        found[0].push_back(generator.classes > 0 ? result.accuracy() : result.metric("r2"));
        found[1].push_back(result.loss());
      }
      const char* names[] = {generator.classes > 0 ? "accuracy" : "R2", "loss"};
      for (std::size_t f = 0; f < 2; ++f) {
        double truth = 0;
        for (const Score& score : found[f]) truth += score.mean / data_sets;
        int covered = 0, independent = 0;
        const auto k = static_cast<double>(folds);
        for (const Score& score : found[f]) {
          const double half = score.high - score.mean, distance = std::abs(score.mean - truth);
          covered += distance <= half;
          independent += distance <= half / std::sqrt(1 + k / (k - 1));
        }
        std::printf("| %s | %td | %td | %s | %.4f | %.1f %% | %.1f %% |\n", generator.name.c_str(), generator.rows,
                    folds, names[f], truth, 100.0 * covered / data_sets, 100.0 * independent / data_sets);
        std::fflush(stdout);
      }
    }
}

}  // namespace

int main(int count, char** arguments) {
  const std::string what = count > 1 ? arguments[1] : "";
  if (what == "ensembles" && count >= 3)
    ensembles(arguments[2], count > 3 ? std::atoi(arguments[3]) : 10);
  else if (what == "intervals")
    intervals(count > 2 ? std::atoi(arguments[2]) : 300);
  else
    return std::fprintf(stderr, "usage: several_fits ensembles FOLDER [SEEDS] | several_fits intervals [DATA_SETS]\n"),
           2;
}
