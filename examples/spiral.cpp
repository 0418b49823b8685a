// spiral: three interleaved spirals told apart in the plane, with the decision drawn in the terminal
#include <cmath>
#include <cstdio>
#include <numbers>
#include <string>

#include <handrail/handrail.h>

#include "arguments/arguments.h"

using namespace handrail;

constexpr Index arms = 3;

train::TensorDataset spirals(Index points_per_arm, Rng& rng) {
  const Tensor inputs({arms * points_per_arm, 2}), targets(Shape{arms * points_per_arm});
  Scalar* xy = inputs.mutable_data();
  Scalar* arm_of = targets.mutable_data();
  for (Index arm = 0; arm < arms; ++arm)
    for (Index i = 0; i < points_per_arm; ++i) {
      const double radius = static_cast<double>(i + 1) / static_cast<double>(points_per_arm);
      const double turn = 2 * std::numbers::pi * static_cast<double>(arm) / arms + 4 * radius + 0.15 * rng.normal();
      *xy++ = static_cast<Scalar>(radius * std::cos(turn));
      *xy++ = static_cast<Scalar>(radius * std::sin(turn));
      *arm_of++ = static_cast<Scalar>(arm);
    }
  return {inputs, targets};
}

int main(int argc, char** argv) try {
  Arguments arguments(argc, argv);
  const std::string run_dir = arguments.run_to_resume();
  const auto options = arguments.options({.epochs = 60, .lr = 1e-2});
  Rng rng(options.seed);
  const auto train_set = spirals(400, rng), test_set = spirals(100, rng);

  nn::Sequential model{nn::Linear{2, 64, rng}, nn::Tanh{}, nn::Linear{64, 64, rng}, nn::Tanh{},
                       nn::Linear{64, arms, rng}};
  train::Trainer trainer{model, cross_entropy, options};
  const auto result = fit_or_resume(trainer, train_set, run_dir);
  if (result.signal != 0) return result.exit_status();

  constexpr Index rows = 21, cols = 41;
  const Tensor grid({rows * cols, 2});
  Scalar* xy = grid.mutable_data();
  for (Index row = 0; row < rows; ++row)
    for (Index col = 0; col < cols; ++col) {
      *xy++ = static_cast<Scalar>(col) / 20 - 1;
      *xy++ = 1 - static_cast<Scalar>(row) / 10;
    }
  const auto winner = train::argmax(trainer.predict(grid));
  for (std::size_t i = 0; i < winner.size(); ++i)
    std::printf("%c%s", ".o#"[winner[i]], (i + 1) % cols == 0 ? "\n" : "");
  std::printf("test accuracy %.4f\n", trainer.evaluate(test_set).accuracy());
  return result.exit_status();
} catch (const std::exception& error) {
  return exit_status("spiral", error);
}
