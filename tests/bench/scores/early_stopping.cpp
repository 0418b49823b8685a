// When to stop a run whose rate falls along a cosine, and whose weights to keep: two tables of docs/early_stopping.md.
// About fifteen seconds.
// usage: early_stopping FOLDER [SEEDS [FIRST]]      FOLDER: what export_tables.py wrote; the seeds 1 to 20 by default
// Each run goes to its last epoch. Every rule is told of its evaluations, and gets the score of the best weights there
// were when it would have stopped. The second table has the scores of other weights when the default would have
// stopped.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "scores/tables.h"

using namespace handrail;
using namespace handrail::train;

namespace {

constexpr Index epochs = 100;

// Returns whether to stop after this evaluation.
using Rule = std::function<bool(const EvaluationStats&)>;

struct NamedRule {
  const char* name;
  std::function<Rule()> make;
};

NamedRule waits(const char* name, Improvement improvement, Index patience, bool rate_falls) {
  return {name, [=]() -> Rule {
            return [stopping = EarlyStopping(MonitorMode::min, improvement, patience, rate_falls)](
                       const EvaluationStats& stats) mutable {
              stopping.add(stats.monitored, stats.evaluation.group_losses);
              return stopping.stop();
            };
          }};
}

// Evaluations in a row that are worse than the best by more than `errors` standard errors.
NamedRule worse(const char* name, Index patience, double errors) {
  return {name, [=]() -> Rule {
            return [=, lowest = bench::LowestLoss(), waited = Index{0}](const EvaluationStats& stats) mutable {
              if (lowest.add(stats)) {
                waited = 0;
                return false;
              }
              const auto [mean, error] = lowest.rise(stats.evaluation.group_losses);
              waited = mean < errors * error ? 0 : waited + 1;
              return waited >= patience;
            };
          }};
}

const std::vector<NamedRule>& rules() {
  static const std::vector<NamedRule> all{
      waits("10, significantly lower", Improvement::significant, 10, false),
      waits("10, plain", Improvement::plain, 10, false),
      waits("20, plain", Improvement::plain, 20, false),
      waits("33, plain", Improvement::plain, 33, false),
      waits("**10, worse by 1 error**", Improvement::significant, 10, true),
      worse("10, worse at all", 10, 0),
      worse("10, worse by 1/2 error", 10, 0.5),
      worse("5, worse by 1 error", 5, 1),
      {"never", []() -> Rule { return [](const EvaluationStats&) { return false; }; }},
  };
  return all;
}

constexpr std::size_t default_rule = 4;

// The weights of the last evaluation whose loss is above the lowest one by less than so many standard errors.
constexpr std::array keeps{0.0, 0.25, 0.5, 1.0, 1.5, std::numeric_limits<double>::infinity()};
constexpr std::size_t default_keep = 2;
using Kept = std::array<double, keeps.size()>;  // scores

struct Ending {
  double score = 0;  // accuracy or R2 on the test rows, in percent
  Index epochs = 0;
};

class Followed : public Trainer {
 public:
  Followed(nn::Layer& model, Loss loss, const TrainerOptions& options, const Dataset& test_set)
      : Trainer(model, std::move(loss), options), test_set_(test_set), endings_(rules().size()) {
    for (const NamedRule& rule : rules()) rules_.push_back(rule.make());
  }
  const std::vector<Ending>& endings() const { return endings_; }
  const Kept& kept() const { return kept_; }

 private:
  void on_validation_end(const EvaluationStats& stats) override {
    const double score = bench::score_of(evaluate(test_set_));
    if (stats.best) best_ = score;
    if (rules_[default_rule]) keep(stats, score);
    for (std::size_t r = 0; r < rules_.size(); ++r) {
      if (!rules_[r]) continue;
      endings_[r] = {best_, stats.epoch};
      if (rules_[r](stats)) rules_[r] = nullptr;
    }
  }

  void keep(const EvaluationStats& stats, double score) {
    if (lowest_.add(stats)) kept_.fill(score);
    const auto [mean, error] = lowest_.rise(stats.evaluation.group_losses);
    for (std::size_t k = 0; k < keeps.size(); ++k)
      if (error > 0 && mean < keeps[k] * error) kept_[k] = score;
  }

  const Dataset& test_set_;
  double best_ = 0;
  bench::LowestLoss lowest_;
  Kept kept_{};
  std::vector<Rule> rules_;
  std::vector<Ending> endings_;
};

struct Outcome {
  std::vector<Ending> endings;
  Kept kept;
};

Outcome run(const bench::ScoredTable& table, const TensorDataset& data, std::uint64_t seed) {
  const auto [train_set, test_set] = stratified_split(data, 0.2, seed);
  nn::Sequential model = bench::scaled_network(table, train_set, seed);
  TrainerOptions options = bench::options_of(table.classes, epochs, seed);
  options.patience = off;
  Followed trainer(model, bench::loss_of(table.classes), options, test_set);
  trainer.fit(train_set);
  return {trainer.endings(), trainer.kept()};
}

// The scores of other weights: differences to those of the lowest loss, with standard errors over the seeds or tables.
void print_kept(const std::vector<bench::ScoredTable>& tables, const std::vector<std::vector<Kept>>& kept) {
  std::printf("| table | lowest loss: score | 1/4 error | **1/2 error** | 1 error | 1 1/2 errors | last |\n");
  std::printf("| --- | --- | --- | --- | --- | --- | --- |\n");
  std::array<std::vector<double>, keeps.size()> gains;
  std::vector<double> scores;
  for (std::size_t t = 0; t < tables.size(); ++t) {
    const auto column = [&](std::size_t k, bool as_gain) {
      std::vector<double> values;
      for (const Kept& one : kept[t]) values.push_back(as_gain ? one[k] - one[0] : one[k]);
      return bench::mean_of(values);
    };
    scores.push_back(column(0, false).mean);
    std::printf("| %s | %.2f |", tables[t].name.c_str(), scores.back());
    for (std::size_t k = 1; k < keeps.size(); ++k) {
      const auto gain = column(k, true);
      gains[k].push_back(gain.mean);
      std::printf(k == default_keep ? " %+.2f ± %.2f |" : " %+.2f |", gain.mean, gain.error);
    }
    std::printf("\n");
  }
  std::printf("| **mean** | %.2f |", bench::mean_of(scores).mean);
  for (std::size_t k = 1; k < keeps.size(); ++k) {
    const auto gain = bench::mean_of(gains[k]);
    std::printf(k == default_keep ? " %+.2f ± %.2f |" : " %+.2f |", gain.mean, gain.error);
  }
  std::printf("\n");
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 2) {
    std::fprintf(stderr, "usage: early_stopping FOLDER [SEEDS [FIRST]]\n");
    return 2;
  }
  set_num_threads(1);
  const int seeds = argc > 2 ? std::atoi(argv[2]) : 20, first = argc > 3 ? std::atoi(argv[3]) : 1;
  std::printf("| table | never stops: score |");
  for (std::size_t r = 0; r + 1 < rules().size(); ++r) std::printf(" %s |", rules()[r].name);
  std::printf("\n| --- | --- |");
  for (std::size_t r = 0; r + 1 < rules().size(); ++r) std::printf(" --- |");
  const std::vector<bench::ScoredTable> tables = bench::scored_tables(argv[1]);
  std::vector<Ending> all(rules().size());
  const auto print = [](const char* name, const std::vector<Ending>& sums, double runs) {
    std::printf("\n| %s | %.2f |", name, sums.back().score / runs);
    for (std::size_t r = 0; r + 1 < sums.size(); ++r)
      std::printf(" %+.2f at %.0f |", (sums[r].score - sums.back().score) / runs,
                  static_cast<double>(sums[r].epochs) / runs);
    std::fflush(stdout);
  };
  std::vector<std::vector<Kept>> kept;
  for (const bench::ScoredTable& table : tables) {
    const TensorDataset data = table.read();
    std::vector<Ending> sums(rules().size());
    kept.emplace_back();
    for (int seed = first; seed < first + seeds; ++seed) {
      const auto [endings, scores] = run(table, data, static_cast<std::uint64_t>(seed));
      kept.back().push_back(scores);
      for (std::size_t r = 0; r < sums.size(); ++r)
        for (std::vector<Ending>* to : {&sums, &all}) {
          (*to)[r].score += endings[r].score;
          (*to)[r].epochs += endings[r].epochs;
        }
    }
    print(table.name.c_str(), sums, seeds);
  }
  print("**mean**", all, seeds * static_cast<double>(tables.size()));
  std::printf("\n\n");
  print_kept(tables, kept);
} catch (const std::exception& error) {
  std::fprintf(stderr, "early_stopping: %s\n", error.what());
  return 1;
}
