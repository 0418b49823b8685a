// custom_op: an op of your own, forward and backward in one function, its gradient checked, then trained with
#include <cstdio>
#include <string>

#include <handrail/core/eigen.h>
#include <handrail/handrail.h>

#include "arguments/arguments.h"

using namespace handrail;

// x * sigmoid(x), known as swish or SiLU. With y the output, dy/dx = s + y (1 - s), s = sigmoid(x).
Tensor swish(const Tensor& x) {
  Tensor s(x.shape()), y(x.shape());
  mutable_array(s) = array(x).logistic();
  mutable_array(y) = array(x) * array(s);
  return Tape::record("swish", {x}, y, [s = Saved(s), y = Saved(y)](const Backward& b) {
    b[0] += array(b.output_grad()) * (array(*s) + array(*y) * (1 - array(*s)));
  });
}

// As a layer, for Sequential.
struct Swish : nn::Layer {
  Tensor forward(const Tensor& x) const override { return swish(x); }
};

int main(int argc, char** argv) try {
  Arguments arguments(argc, argv);
  const std::string run_dir = arguments.run_to_resume();
  const auto options = arguments.options({.epochs = 60, .lr = 1e-2});
  Rng rng(options.seed);

  // This example is built in double, where backward and differences agree to many digits.
  const Tensor x = normal({4, 5}, 0, 2, rng);
  x.set_requires_grad(true);
  const auto check = gradcheck([](const std::vector<Tensor>& in) { return swish(in[0]); }, {x});
  std::printf("gradient check: %s, largest relative error %.1e\n\n", check.passed ? "passed" : check.worst.c_str(),
              check.max_relative_error);

  const auto iris = train::load_csv(EXAMPLES_DATA "iris.csv", {.targets = {"species"}}).data;
  const auto [train_set, test_set] = train::random_split(iris, 0.2, options.seed);
  nn::Sequential model{nn::Standardize::fit(train_set), nn::Linear{4, 32, rng}, Swish{}, nn::Linear{32, 3, rng}};
  train::Trainer trainer{model, cross_entropy, options};
  const auto result = fit_or_resume(trainer, train_set, run_dir);
  if (result.signal != 0) return result.exit_status();
  std::printf("test accuracy %.4f\n", trainer.evaluate(test_set).accuracy());
  return check.passed ? 0 : 1;
} catch (const std::exception& error) {
  return exit_status("custom_op", error);
}
