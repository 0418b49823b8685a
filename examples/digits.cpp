// digits: a model of your own with layer norm and dropout on the embedded 8 x 8 digits, no network needed
#include <cstdio>
#include <string>

#include <handrail/handrail.h>

#include "arguments/arguments.h"

using namespace handrail;

struct Mlp : nn::Layer {
  explicit Mlp(Rng& rng)
      : hidden(add("hidden", nn::Linear{64, 128, rng})),
        norm(add("norm", nn::LayerNorm{128})),
        dropout(add("dropout", nn::Dropout{0.2})),
        out(add("out", nn::Linear{128, 10, rng})) {}

  Tensor forward(const Tensor& x) const override { return out(dropout(relu(norm(hidden(x))))); }

  nn::Linear& hidden;
  nn::LayerNorm& norm;
  nn::Dropout& dropout;
  nn::Linear& out;
};

int main(int argc, char** argv) try {
  Arguments arguments(argc, argv);
  const std::string run_dir = arguments.run_to_resume();
  const auto options = arguments.options({.epochs = 40, .batch_size = 32, .lr = 3e-3});

  const auto digits = train::load_idx(EXAMPLES_DATA "digits-images-idx3-ubyte",
                                      EXAMPLES_DATA "digits-labels-idx1-ubyte", {.classes = 10, .flatten = true});
  const auto [train_set, test_set] = train::random_split(digits, 0.2, options.seed);

  Rng rng(options.seed);
  Mlp model(rng);
  train::Trainer trainer{model, cross_entropy, options};
  const auto result = fit_or_resume(trainer, train_set, run_dir);
  if (result.signal != 0) return result.exit_status();
  const auto test = trainer.evaluate(test_set);
  std::printf("trained in %.2f s, test loss %.4f\n", result.seconds, test.loss);
  std::printf("test accuracy %.4f\n", test.accuracy());
  return result.exit_status();
} catch (const std::exception& error) {
  return exit_status("digits", error);
}
