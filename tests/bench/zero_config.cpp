// What a program that gives nothing but epochs comes to: the tables of docs/zero_config.md. About a minute.
// usage: zero_config TABLES [digits] [mnist] [tables] [raw]; none: all of them
// TABLES: the folder that export_tables.py wrote to; MNIST is taken from where the examples look for it.
#include <algorithm>
#include <cstdio>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "scores/tables.h"
#include "tasks.h"

using namespace handrail;
using namespace handrail::train;

namespace {

std::filesystem::path tables;

// One run: a model fitted on one part, measured on the other.
struct Run {
  double score;
  FitResult result;
};

struct Summary {
  double mean = 0, worst = 1;
};

Run fit(nn::Sequential& model, Loss loss, TrainerOptions options, const Dataset& train_set, const Dataset& test_set) {
  options.checkpoints = off;
  options.metrics_csv = off;
  options.sinks = {};
  Trainer trainer{model, loss, options};
  Run run{.score = 0, .result = trainer.fit(train_set)};
  const Evaluation test = trainer.evaluate(test_set);
  if (test.measured_accuracy) {
    run.score = test.accuracy();
  } else {
    // R2: the share of the squared error of the training mean that the model saves.
    const Tensor targets = first_samples(test_set, test_set.size()).targets;
    const double middle = static_cast<double>(mean(first_samples(train_set, train_set.size()).targets).item());
    run.score =
        1 - test.loss / static_cast<double>(
                            mse_loss(Tensor::full(targets.shape(), static_cast<Scalar>(middle)), targets).item());
  }
  return run;
}

void header() {
  std::printf(
      "\n| data | model | epochs | runs | mean | worst | wanted | rates found | ended | warnings (runs) |\n"
      "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n");
}

void row(const std::string& data, const std::string& model, Index epochs, int seeds, const char* wanted,
         const std::function<Run(std::uint64_t)>& train) {
  Summary scores;
  double low = 1e300, high = 0;
  std::map<std::string, int> warnings, reasons;
  for (int seed = 1; seed <= seeds; ++seed) {
    const auto [score, result] = train(static_cast<std::uint64_t>(seed));
    scores.mean += score / seeds;
    scores.worst = std::min(scores.worst, score);
    low = std::min(low, result.lr);
    high = std::max(high, result.lr);
    ++reasons[to_string(result.reason)];
    for (const auto& anomaly : result.diagnosis())
      if (anomaly.severity == train::Severity::warning) ++warnings[anomaly.name];
  }
  std::printf("| %s | %s | %d | %d | %.4f | %.4f | %s | %.1e to %.1e |", data.c_str(), model.c_str(),
              static_cast<int>(epochs), seeds, scores.mean, scores.worst, wanted, low, high);
  for (const auto& [reason, count] : reasons) std::printf(" %s %d", reason.c_str(), count);
  std::printf(" |");
  for (const auto& [name, count] : warnings) std::printf(" %s %d", name.c_str(), count);
  std::printf(" |\n");
  std::fflush(stdout);
}

// The whole of what is given.
Run plain(const std::vector<Index>& widths, Index epochs, Index batch_size, const Dataset& train_set,
          const Dataset& test_set, std::uint64_t seed) {
  nn::Sequential model = bench::mlp(widths, seed);
  return fit(model, cross_entropy, {.epochs = epochs, .batch_size = batch_size, .seed = seed}, train_set, test_set);
}

void digits() {
  header();
  row("digits", "64-64-10", 30, 5, "0.965", [](std::uint64_t seed) {
    const auto [train_set, test_set] = random_split(bench::digits(), 0.2, seed);
    return plain({64, 64, 10}, 30, 32, train_set, test_set, seed);
  });
}

void mnist() {
  const Mnist data = load_mnist(bench::mnist_folder());
  header();
  for (const Index batch_size : {32, 128})
    row("MNIST, batches of " + std::to_string(batch_size), "784-256-128-10", 5, 3, "0.976", [&](std::uint64_t seed) {
      return plain({784, 256, 128, 10}, 5, batch_size, data.train, data.test, seed);
    });
}

struct Table {
  const char* name;
  Index classes;  // 0 for a regression
  const char* wanted;
};
constexpr Table all_tables[] = {
    {"diabetes", 0, "0.35"}, {"iris", 3, "0.93"}, {"wine", 3, "0.93"}, {"breast_cancer", 2, "0.93"}};
constexpr Index table_epochs = 100;

TensorDataset read_table(const Table& table) {
  return load_csv(tables / (std::string(table.name) + ".csv"),
                  {.targets = {"target"}, .kind = table.classes > 0 ? Target::class_index : Target::value})
      .data;
}

Run table_run(const Table& table, const TensorDataset& data, bool standardize, std::uint64_t seed) {
  const auto [train_set, test_set] = random_split(data, 0.2, seed);
  nn::Sequential model;
  if (standardize) model.push_back(nn::Standardize::fit(train_set));
  bench::push_mlp(model, {data.input_shape().size(), 32, std::max<Index>(table.classes, 1)}, seed);
  return fit(model, table.classes > 0 ? Loss(cross_entropy) : Loss(mse_loss), {.epochs = table_epochs, .seed = seed},
             train_set, test_set);
}

// R2 is the same in any unit.
TensorDataset with_standard_targets(const TensorDataset& data, std::uint64_t seed) {
  const auto [train_set, test_set] = random_split(data, 0.2, seed);
  const auto scale = nn::Standardize::fit(first_samples(train_set, train_set.size()).targets);
  return {data.inputs(), scale(data.targets())};
}

void of_tables() {
  const std::string model = "Standardize, 32 hidden units";
  header();
  for (const Table& table : all_tables)
    row(table.name, model, table_epochs, 5, table.wanted,
        [&](std::uint64_t seed) { return table_run(table, read_table(table), true, seed); });
  const Table& diabetes = all_tables[0];
  row("diabetes, targets standardised too", model, table_epochs, 5, diabetes.wanted, [&](std::uint64_t seed) {
    return table_run(diabetes, with_standard_targets(read_table(diabetes), seed), true, seed);
  });
}

// ---- Raw inputs

TensorDataset as_floats(const Dataset& bytes, double largest) {
  const Batch all = first_samples(bytes, bytes.size());  // byte / 255
  return {all.inputs * largest, all.targets};
}

// How raw data is met: not at all, by the default, or by hand, before the Trainer sees it.
enum class Scaling { off, by_default, by_hand };

void raw_row(const std::string& data, int seeds, const std::function<Run(Scaling, std::uint64_t)>& train) {
  std::printf("| %s | %d |", data.c_str(), seeds);
  for (const Scaling scaling : {Scaling::off, Scaling::by_default, Scaling::by_hand}) {
    Summary scores;
    std::map<std::string, int> warnings;
    for (int seed = 1; seed <= seeds; ++seed) {
      const Run run = train(scaling, static_cast<std::uint64_t>(seed));
      scores.mean += run.score / seeds;
      scores.worst = std::min(scores.worst, run.score);
      for (const auto& anomaly : run.result.diagnosis())
        if (anomaly.severity == train::Severity::warning) ++warnings[anomaly.name];
    }
    std::printf(" %.4f | %.4f |", scores.mean, scores.worst);
    if (scaling != Scaling::by_default) continue;
    for (const auto& [name, count] : warnings) std::printf(" %s %d", name.c_str(), count);
    std::printf(" |");
  }
  std::printf("\n");
  std::fflush(stdout);
}

TrainerOptions options_of(Scaling scaling, Index epochs, std::uint64_t seed) {
  return {.epochs = epochs, .standardize = scaling != Scaling::off, .seed = seed};
}

Run raw_images(const std::vector<Index>& widths, Index epochs, Scaling scaling, const Dataset& train_set,
               const Dataset& test_set, std::uint64_t seed) {
  nn::Sequential model;
  if (scaling == Scaling::by_hand) model.push_back(nn::Standardize::fit(train_set));
  bench::push_mlp(model, widths, seed);
  return fit(model, cross_entropy, options_of(scaling, epochs, seed), train_set, test_set);
}

Run raw_table(const bench::ScoredTable& table, Scaling scaling, std::uint64_t seed) {
  const bool by_hand = scaling == Scaling::by_hand;
  const TensorDataset raw = table.read();
  const TensorDataset data = by_hand && table.classes == 0 ? with_standard_targets(raw, seed) : raw;
  const auto [train_set, test_set] = random_split(data, 0.2, seed);
  nn::Sequential model;
  if (by_hand) model.push_back(nn::Standardize::fit(train_set));
  bench::push_mlp(model, {data.input_shape().size(), 32, std::max<Index>(table.classes, 1)}, seed);
  return fit(model, bench::loss_of(table.classes), options_of(scaling, table_epochs, seed), train_set, test_set);
}

void raw() {
  std::printf(
      "\n| data | runs | off: mean | worst | by default: mean | worst | warnings (runs) | by hand: mean | worst |\n"
      "| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n");
  for (const bench::ScoredTable& table : bench::scored_tables(tables))
    raw_row(table.name, 5, [&](Scaling scaling, std::uint64_t seed) { return raw_table(table, scaling, seed); });
  const TensorDataset small = as_floats(bench::digits(), 255 * 255.0 / 16);
  raw_row("digits as floats, 0 to 255", 5, [&](Scaling scaling, std::uint64_t seed) {
    const auto [train_set, test_set] = random_split(small, 0.2, seed);
    return raw_images({64, 64, 10}, 30, scaling, train_set, test_set, seed);
  });
  if (bench::have_mnist()) {
    const Mnist mnist = load_mnist(bench::mnist_folder());
    const TensorDataset train_set = as_floats(mnist.train, 255), test_set = as_floats(mnist.test, 255);
    raw_row("MNIST as floats, 0 to 255", 3, [&](Scaling scaling, std::uint64_t seed) {
      return raw_images({784, 256, 128, 10}, 5, scaling, train_set, test_set, seed);
    });
  }
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 2) {
    std::fprintf(stderr, "usage: zero_config TABLES [digits] [mnist] [tables] [raw]\n");
    return 2;
  }
  tables = argv[1];
  const std::pair<std::string, void (*)()> sections[] = {
      {"digits", digits}, {"mnist", mnist}, {"tables", of_tables}, {"raw", raw}};
  const std::vector<std::string> wanted(argv + 2, argv + argc);
  set_num_threads(1);
  for (const auto& [name, print] : sections)
    if (wanted.empty() || std::ranges::count(wanted, name) > 0) print();
} catch (const std::exception& error) {
  std::fprintf(stderr, "zero_config: %s\n", error.what());
  return 1;
}
