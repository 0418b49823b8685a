// Whether whitening the inputs helps, against standardising them: the table of docs/whitening.md. About 10 seconds.
// usage: whitening
#include <cmath>
#include <cstdio>
#include <vector>

#include "tasks.h"

using namespace handrail;
using namespace handrail::train;

namespace {

// A noisy sine of 500 places as a polynomial: the powers x to x^5 are the columns.
TensorDataset powers() {
  Rng rng(1);
  const Tensor inputs({500, 5}), targets({500, 1});
  for (Index i = 0; i < 500; ++i) {
    const double x = static_cast<double>(i) / 499;
    for (int k = 0; k < 5; ++k) inputs.mutable_data()[5 * i + k] = static_cast<Scalar>(std::pow(x, k + 1));
    targets.mutable_data()[i] = static_cast<Scalar>(std::sin(6 * x) + 0.1 * rng.normal());
  }
  return {inputs, targets};
}

TensorDataset iris(const char* target, Target kind) {
  return load_csv(EXAMPLES_DATA "iris.csv", {.targets = {target}, .kind = kind}).data;
}

TensorDataset digits() {
  const Batch all = first_samples(bench::digits(), bench::digits().size());
  return {all.inputs, all.targets};
}

// The mean of R2 or accuracy on held-out rows, over five seeds of split and model.
double score(const TensorDataset& data, std::vector<Index> widths, Index epochs, bool whiten) {
  constexpr int seeds = 5;
  const bool regression = widths.back() == 1;
  double sum = 0;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    const auto [train_set, test_set] = random_split(data, 0.2, seed);
    nn::Sequential model{nn::Standardize::fit(train_set, {.whiten = whiten})};
    bench::push_mlp(model, widths, seed);
    TrainerOptions options{.epochs = epochs, .checkpoints = off, .seed = seed, .metrics_csv = off, .sinks = {}};
    if (regression) options.metrics = {R2{}};
    Trainer trainer{model, regression ? Loss(mse_loss) : Loss(cross_entropy), options};
    trainer.fit(train_set);
    const Evaluation test = trainer.evaluate(test_set);
    sum += regression ? test.metric("r2") : test.accuracy();
  }
  return sum / seeds;
}

void row(const char* name, const TensorDataset& data, const std::vector<Index>& widths) {
  std::printf("| %s | %td", name, widths.front());
  for (std::size_t layer = 1; layer < widths.size(); ++layer) std::printf("-%td", widths[layer]);
  std::printf(" |");
  for (const Index epochs : {10, 30, 100})
    for (const bool whiten : {false, true}) std::printf(" %.3f |", score(data, widths, epochs, whiten));
  std::printf("\n");
  std::fflush(stdout);
}

}  // namespace

int main() try {
  set_num_threads(1);
  std::printf(
      "| data | model | 10 epochs | whitened | 30 epochs | whitened | 100 epochs | whitened |\n"
      "| --- | --- | --- | --- | --- | --- | --- | --- |\n");
  row("powers of x", powers(), {5, 1});
  row("width of petals", iris("petal_width", Target::value), {4, 1});
  row("width of petals", iris("petal_width", Target::value), {4, 32, 1});
  row("iris", iris("species", Target::class_index), {4, 32, 3});
  row("digits", digits(), {64, 32, 10});
} catch (const std::exception& error) {
  std::fprintf(stderr, "whitening: %s\n", error.what());
  return 1;
}
