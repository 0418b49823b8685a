// What the rate that the LR finder picks costs on small data sets, against the best of a grid of given rates: the
// table of docs/lr_finder.md. A few minutes.
// usage: finder_small TABLES [SEEDS [FIRST LAST]]; 20 seeds; rows FIRST to LAST of the table only, counted from 0
// TABLES: the folder that export_tables.py wrote to.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tasks.h"

using namespace handrail;
using namespace handrail::train;

namespace {

constexpr double grid[] = {3e-4, 1e-3, 3e-3, 1e-2, 3e-2};

struct Split {
  TensorDataset train, test;
};

struct Table {
  std::string name;
  Loss loss;
  std::vector<Index> hidden;
  Index outputs;
  Index epochs;
  std::function<Split(std::uint64_t seed)> split;
};

// ---- Public tables: 20 % of the rows are the test set

TensorDataset to_tensors(const Dataset& data) {
  const Batch all = first_samples(data, data.size());
  return {all.inputs, all.targets};
}

template <class D>
Split split_table(const D& data, bool standard_targets, std::uint64_t seed) {
  const auto [train_rows, test_rows] = random_split(data, 0.2, seed);
  const TensorDataset train = to_tensors(train_rows), test = to_tensors(test_rows);
  if (!standard_targets) return {train, test};
  const auto scale = nn::Standardize::fit(train.targets());
  return {{train.inputs(), scale(train.targets())}, {test.inputs(), scale(test.targets())}};
}

void add_public_tables(std::vector<Table>& tasks, const std::filesystem::path& folder) {
  const auto add = [&](const char* name, Index classes, std::vector<Index> hidden) {
    const auto data = std::make_shared<TensorDataset>(
        load_csv(folder / (std::string(name) + ".csv"),
                 {.targets = {"target"}, .kind = classes > 0 ? Target::class_index : Target::value})
            .data);
    tasks.push_back({.name = name,
                     .loss = classes > 0 ? Loss(cross_entropy) : Loss(mse_loss),
                     .hidden = std::move(hidden),
                     .outputs = std::max<Index>(classes, 1),
                     .epochs = 100,
                     .split = [=](std::uint64_t seed) { return split_table(*data, classes == 0, seed); }});
  };
  for (const std::vector<Index>& hidden : {std::vector<Index>{32}, {32, 32}}) {
    add("diabetes", 0, hidden);
    add("iris", 3, hidden);
    add("wine", 3, hidden);
    add("breast_cancer", 2, hidden);
  }
  const auto data = std::make_shared<ByteDataset>(bench::digits());
  std::vector<Index> rows = all_rows(*data);
  rows.resize(300);
  const auto few = std::make_shared<Subset>(data, rows);
  tasks.push_back({.name = "digits, 300 rows",
                   .loss = cross_entropy,
                   .hidden = {32},
                   .outputs = 10,
                   .epochs = 100,
                   .split = [=](std::uint64_t seed) { return split_table(*few, false, seed); }});
}

// ---- Generated tables: the teacher belongs to the table, the rows to the run, and 1,000 more are the test set

struct Recipe {
  const char* name;
  Index rows, columns;
  Index classes;                     // 0: regression; 1: binary, one logit; else classes
  double signal;                     // of the logits, or the standard deviation of the function
  double noise = 0;                  // of a regression; share of wrong labels otherwise
  bool linear = false;               // else a random network with 8 hidden units
  double rare = 0;                   // what is added to the logit of the first class
  std::vector<Index> hidden = {32};  // of the model
  Index epochs = 100;
};

Tensor teacher(const Recipe& r, const Tensor& x, std::uint64_t seed) {
  Rng rng(seed);
  const Index outputs = std::max<Index>(r.classes, 1);
  const auto wide = [&](Index in, Index out) {
    return normal({in, out}, 0, static_cast<Scalar>(1 / std::sqrt(static_cast<double>(in))), rng);
  };
  if (r.linear) return matmul(x, wide(r.columns, outputs)) * r.signal;
  return matmul(tanh(matmul(x, wide(r.columns, 8)) * 2.0), wide(8, outputs)) * (1.3 * r.signal);
}

TensorDataset draw(const Recipe& r, Index rows, std::uint64_t number, Rng& rng) {
  const NoGrad values_only;
  const Tensor x = normal({rows, r.columns}, 0, 1, rng), f = teacher(r, x, number);
  if (r.classes == 0) return {x, f + normal({rows, 1}, 0, static_cast<Scalar>(r.noise), rng)};
  const Tensor targets = r.classes == 1 ? Tensor({rows, 1}) : Tensor(Shape{rows});
  for (Index i = 0; i < rows; ++i) {
    Index label = 0;
    if (r.classes == 1) {
      label = f.at({i, 0}) + static_cast<Scalar>(r.rare) > 0 ? 1 : 0;
    } else {
      double highest = -1e300;
      for (Index c = 0; c < r.classes; ++c) {
        const double logit = static_cast<double>(f.at({i, c})) + (c == 0 ? r.rare : 0);
        if (logit > highest) label = c;
        highest = std::max(highest, logit);
      }
    }
    if (rng.uniform() < r.noise)
      label = static_cast<Index>(rng.below(static_cast<std::uint64_t>(std::max<Index>(r.classes, 2))));
    targets.mutable_data()[i] = static_cast<Scalar>(label);
  }
  return {x, targets};
}

const Recipe recipes[] = {
    // The rule got its form from the first five.
    {.name = "2 classes, linear", .rows = 100, .columns = 5, .classes = 2, .signal = 1, .linear = true},
    {.name = "4 classes, 20 % noise", .rows = 240, .columns = 8, .classes = 4, .signal = 1, .noise = 0.2},
    {.name = "binary, 10 % noise", .rows = 160, .columns = 6, .classes = 1, .signal = 1, .noise = 0.1},
    {.name = "regression, linear, noisy",
     .rows = 120,
     .columns = 10,
     .classes = 0,
     .signal = 1,
     .noise = 0.7,
     .linear = true},
    {.name = "regression, nonlinear", .rows = 320, .columns = 5, .classes = 0, .signal = 1, .noise = 0.1},
    // Its exponent was chosen with these in sight too.
    {.name = "6 classes", .rows = 200, .columns = 12, .classes = 6, .signal = 1, .linear = true},
    {.name = "2 classes, 1 in 10 rare",
     .rows = 240,
     .columns = 8,
     .classes = 2,
     .signal = 1,
     .noise = 0.05,
     .rare = 1.7},
    {.name = "3 classes, wide", .rows = 80, .columns = 120, .classes = 3, .signal = 1, .linear = true},
    {.name = "3 classes, tiny", .rows = 60, .columns = 4, .classes = 3, .signal = 1, .noise = 0.1},
    {.name = "regression, noisy, 2 layers",
     .rows = 160,
     .columns = 6,
     .classes = 0,
     .signal = 1,
     .noise = 0.5,
     .hidden = {32, 32}},
    // Added when the rule was fixed: a clean test.
    {.name = "5 classes, nonlinear", .rows = 180, .columns = 6, .classes = 5, .signal = 1},
    {.name = "binary, linear, 2 layers",
     .rows = 90,
     .columns = 8,
     .classes = 1,
     .signal = 1,
     .noise = 0.05,
     .linear = true,
     .hidden = {32, 32}},
    {.name = "regression, nonlinear, noisy", .rows = 200, .columns = 4, .classes = 0, .signal = 1, .noise = 0.3},
    {.name = "regression, linear, wide",
     .rows = 70,
     .columns = 40,
     .classes = 0,
     .signal = 1,
     .noise = 0.3,
     .linear = true},
    {.name = "3 classes, 30 epochs", .rows = 300, .columns = 10, .classes = 3, .signal = 1, .noise = 0.1, .epochs = 30},
};

void add_generated_tables(std::vector<Table>& tasks) {
  std::uint64_t number = 0;
  for (const Recipe& recipe : recipes) {
    ++number;
    tasks.push_back({.name = recipe.name,
                     .loss = recipe.classes > 1    ? Loss(cross_entropy)
                             : recipe.classes == 1 ? Loss(binary_cross_entropy_with_logits)
                                                   : Loss(mse_loss),
                     .hidden = recipe.hidden,
                     .outputs = std::max<Index>(recipe.classes, 1),
                     .epochs = recipe.epochs,
                     .split = [&recipe, number](std::uint64_t seed) -> Split {
                       Rng rng(1000 * number + seed);
                       TensorDataset train = draw(recipe, recipe.rows, number, rng);
                       return {std::move(train), draw(recipe, 1000, number, rng)};
                     }});
  }
}

// ---- Runs

struct Outcome {
  double test_loss;
  FitResult result;
};

nn::Sequential model_for(const Table& table, const Split& data, std::uint64_t seed) {
  nn::Sequential model{nn::Standardize::fit(data.train)};
  std::vector<Index> widths{data.train.input_shape().size()};
  widths.insert(widths.end(), table.hidden.begin(), table.hidden.end());
  widths.push_back(table.outputs);
  bench::push_mlp(model, widths, seed);
  return model;
}

Outcome train_on(const Table& table, const Split& data, OrAuto<double> lr, std::uint64_t seed) {
  nn::Sequential model = model_for(table, data, seed);
  Trainer trainer{model,
                  table.loss,
                  {.epochs = table.epochs,
                   .lr = lr,
                   .lr_scaling = LrScaling::none,
                   .checkpoints = off,
                   .seed = seed,
                   .metrics_csv = off,
                   .sinks = {}}};
  FitResult result = trainer.fit(data.train);
  const double test_loss = trainer.evaluate(data.test).loss;
  return {test_loss, std::move(result)};
}

// The rate that a full sweep would suggest on larger data.
double tenth_of_bottom(const Table& table, const Split& data, std::uint64_t seed) {
  nn::Sequential model = model_for(table, data, seed);
  Trainer trainer{
      model, table.loss, {.epochs = table.epochs, .checkpoints = off, .seed = seed, .metrics_csv = off, .sinks = {}}};
  const LrFinderResult found = trainer.find_lr(data.train, {});
  return found.suggestion ? *found.bottom_end / 10 : 1e-3;
}

void row(const Table& table, int seeds) {
  double found = 0, tenth = 0, low = 1e300, high = 0;
  int unsure = 0, censored = 0, warned = 0;
  std::map<double, double> given;
  Index rows = 0, columns = 0;
  for (int i = 1; i <= seeds; ++i) {
    const auto seed = static_cast<std::uint64_t>(i);
    const Split data = table.split(seed);
    rows = data.train.size();
    columns = data.train.input_shape().size();
    const Outcome outcome = train_on(table, data, automatic, seed);
    found += outcome.test_loss / seeds;
    low = std::min(low, outcome.result.lr);
    high = std::max(high, outcome.result.lr);
    if (outcome.result.lr_finder) {
      unsure += outcome.result.lr_finder->low_confidence;
      censored += outcome.result.lr_finder->censored;
    }
    warned += !outcome.result.anomalies.empty();
    tenth += train_on(table, data, tenth_of_bottom(table, data, seed), seed).test_loss / seeds;
    for (const double lr : grid) given[lr] += train_on(table, data, lr, seed).test_loss / seeds;
  }
  const auto best = *std::ranges::min_element(given, {}, [](const auto& one) { return one.second; });
  std::string hidden;
  for (const Index width : table.hidden) hidden.append(hidden.empty() ? "" : "-").append(std::to_string(width));
  std::printf("| %s | %d x %d | %s | %.4f |", table.name.c_str(), static_cast<int>(rows), static_cast<int>(columns),
              hidden.c_str(), found);
  for (const auto& [lr, loss] : given) std::printf(" %.4f |", loss);
  std::printf(" %g | %.2f | **%.2f** | %.1e to %.1e | %d | %d | %d |\n", best.first, tenth / best.second,
              found / best.second, low, high, unsure, censored, warned);
  std::fflush(stdout);
}

std::vector<Table> all_tables(const std::filesystem::path& tables) {
  std::vector<Table> tasks;
  add_public_tables(tasks, tables);
  add_generated_tables(tasks);
  return tasks;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 2) {
    std::fprintf(stderr, "usage: finder_small TABLES [SEEDS [FIRST LAST]]\n");
    return 2;
  }
  const std::vector<Table> tasks = all_tables(argv[1]);
  const int seeds = argc > 2 ? std::atoi(argv[2]) : 20;
  const std::size_t first = argc > 4 ? std::strtoul(argv[3], nullptr, 10) : 0,
                    last = argc > 4 ? std::strtoul(argv[4], nullptr, 10) : tasks.size() - 1;
  set_num_threads(1);
  std::printf("| table | rows, columns | hidden | found |");
  for (const double lr : grid) std::printf(" %g |", lr);
  std::printf(
      " best rate | tenth of the bottom / best | found / best | rates found | low confidence | censored | warned |\n"
      "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n");
  for (std::size_t i = first; i <= last && i < tasks.size(); ++i) row(tasks[i], seeds);
} catch (const std::exception& error) {
  std::fprintf(stderr, "finder_small: %s\n", error.what());
  return 1;
}
