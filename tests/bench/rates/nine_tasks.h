#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "../tasks.h"

// Nine healthy tasks on which faults of the rate are planted: four tables and five sets that are drawn; classes, two
// classes and regressions; ReLU, tanh and GELU, with and without norms and dropout. A run takes a fraction of a second.

namespace bench {

struct VariedTask {
  std::string name;
  std::unique_ptr<train::Dataset> data;
  train::Loss loss;
  Index epochs;
  std::function<nn::Sequential(std::uint64_t seed)> model;
};

namespace detail {

// A table of normal inputs with the targets that `target` makes of a row and a random number generator.
template <class Target>
train::TensorDataset drawn(Index rows, Index columns, Shape targets_shape, std::uint64_t seed, Target&& target) {
  Rng rng(seed);
  const Tensor inputs = normal({rows, columns}, 0, 1, rng), targets(targets_shape);
  for (Index i = 0; i < rows; ++i)
    targets.mutable_data()[i] = static_cast<Scalar>(target(inputs.data() + i * columns, rng));
  return {inputs, targets};
}

// Five classes around centres in ten dimensions, one label in twenty wrong.
inline train::TensorDataset blobs(Index rows, std::uint64_t seed) {
  Rng rng(seed);
  const Tensor centres = normal({5, 10}, 0, 1.2, rng), inputs = normal({rows, 10}, 0, 1, rng), targets(Shape{rows});
  for (Index i = 0; i < rows; ++i) {
    const Index label = i % 5;
    for (Index j = 0; j < 10; ++j) inputs.mutable_data()[10 * i + j] += centres.at({label, j});
    targets.mutable_data()[i] = static_cast<Scalar>(rng.uniform() < 0.05 ? static_cast<Index>(rng.below(5)) : label);
  }
  return {inputs, targets};
}

// Two spirals that can be told apart without a mistake.
inline train::TensorDataset spirals(Index points, std::uint64_t seed) {
  Rng rng(seed);
  const Tensor inputs({2 * points, 2}), targets(Shape{2 * points});
  for (Index i = 0; i < 2 * points; ++i) {
    const auto arm = static_cast<double>(i % 2),
               radius = (static_cast<double>(i / 2) + 1) / static_cast<double>(points);
    const double turn = std::numbers::pi * arm + 4 * radius + 0.1 * rng.normal();
    inputs.mutable_data()[2 * i] = static_cast<Scalar>(2 * radius * std::cos(turn));
    inputs.mutable_data()[2 * i + 1] = static_cast<Scalar>(2 * radius * std::sin(turn));
    targets.mutable_data()[i] = static_cast<Scalar>(arm);
  }
  return {inputs, targets};
}

}  // namespace detail

inline std::vector<VariedTask> nine_tasks() {
  using nn::Linear, nn::ReLU, nn::Sequential, nn::Tanh;
  const auto owned = [](auto data) { return std::make_unique<decltype(data)>(std::move(data)); };
  std::vector<VariedTask> tasks;
  tasks.push_back({"digits", owned(digits()), cross_entropy, 10, [](std::uint64_t seed) {
                     return mlp({64, 64, 10}, seed);
                   }});
  tasks.push_back(
      {"digits, deep", owned(digits()), cross_entropy, 10, [](std::uint64_t seed) {
         Rng rng(seed);
         return Sequential{Linear{64, 64, rng}, nn::GELU{}, Linear{64, 32, rng}, nn::GELU{}, Linear{32, 10, rng}};
       }});
  tasks.push_back({"iris", owned(train::load_csv(EXAMPLES_DATA "iris.csv", {.targets = {"species"}}).data),
                   cross_entropy, 60, [](std::uint64_t seed) {
                     Rng rng(seed);
                     const auto iris = train::load_csv(EXAMPLES_DATA "iris.csv", {.targets = {"species"}}).data;
                     return Sequential{nn::Standardize::fit(iris), Linear{4, 32, rng}, ReLU{}, Linear{32, 3, rng}};
                   }});
  tasks.push_back({"disc and ring", owned(plane(800, 11)), cross_entropy, 20, [](std::uint64_t seed) {
                     return mlp({2, 32, 2}, seed);
                   }});
  tasks.push_back({"spirals", owned(detail::spirals(600, 12)), cross_entropy, 30, [](std::uint64_t seed) {
                     Rng rng(seed);
                     return Sequential{Linear{2, 32, rng}, Tanh{}, Linear{32, 32, rng}, Tanh{}, Linear{32, 2, rng}};
                   }});
  tasks.push_back({"noisy regression", owned(noisy_regression(1000, 13)), mse_loss, 20, [](std::uint64_t seed) {
                     return mlp({3, 32, 1}, seed);
                   }});
  tasks.push_back({"smooth regression",
                   owned(detail::drawn(2000, 4, {2000, 1}, 14,
                                       [](const Scalar* x, Rng& rng) {
                                         return std::sin(1.5 * static_cast<double>(x[0])) +
                                                0.5 * static_cast<double>(x[1] * x[2]) -
                                                0.5 * static_cast<double>(x[3]) + 0.1 * rng.normal();
                                       })),
                   mse_loss, 20, [](std::uint64_t seed) {
                     return mlp({4, 64, 64, 1}, seed);
                   }});
  tasks.push_back({"two classes",
                   owned(detail::drawn(1000, 8, Shape{1000, 1}, 15,
                                       [](const Scalar* x, Rng& rng) {
                                         const bool above = x[0] + x[1] * x[2] - x[3] > 0;
                                         return above != (rng.uniform() < 0.05) ? 1 : 0;
                                       })),
                   binary_cross_entropy_with_logits, 20, [](std::uint64_t seed) {
                     return mlp({8, 32, 1}, seed);
                   }});
  tasks.push_back(
      {"blobs", owned(detail::blobs(1500, 16)), cross_entropy, 15, [](std::uint64_t seed) {
         Rng rng(seed);
         return Sequential{Linear{10, 64, rng}, nn::BatchNorm1d{64}, ReLU{}, nn::Dropout{0.2}, Linear{64, 5, rng}};
       }});
  return tasks;
}

}  // namespace bench
