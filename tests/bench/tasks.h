#pragma once

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <numbers>
#include <vector>

#include <handrail/handrail.h>

// Data and models that several of the measuring programs train on.

namespace bench {

using namespace handrail;

/// The embedded digits of 8 x 8 pixels, as bytes.
inline train::ByteDataset digits() {
  const std::filesystem::path dir = EXAMPLES_DATA;
  return train::load_idx(dir / "digits-images-idx3-ubyte", dir / "digits-labels-idx1-ubyte",
                         {.classes = 10, .flatten = true});
}

/// Two classes in the plane, a disc and the ring around it, with a few points of each in the other.
inline train::TensorDataset plane(Index points, std::uint64_t seed) {
  Rng rng(seed);
  const Tensor inputs({points, 2}), targets(Shape{points});
  for (Index i = 0; i < points; ++i) {
    const auto ring = static_cast<double>(i % 2);
    const double radius = 0.5 + ring + 0.25 * rng.normal(), turn = rng.uniform(0, 2 * std::numbers::pi);
    inputs.mutable_data()[2 * i] = static_cast<Scalar>(radius * std::cos(turn));
    inputs.mutable_data()[2 * i + 1] = static_cast<Scalar>(radius * std::sin(turn));
    targets.mutable_data()[i] = static_cast<Scalar>(ring);
  }
  return {inputs, targets};
}

/// A smooth function of three inputs whose noise is about a fifth of its variance.
inline train::TensorDataset noisy_regression(Index rows, std::uint64_t seed) {
  Rng rng(seed);
  const Tensor inputs = normal({rows, 3}, 0, 1, rng), targets({rows, 1});
  for (Index i = 0; i < rows; ++i) {
    const Scalar* row = inputs.data() + 3 * i;
    const double x[] = {static_cast<double>(row[0]), static_cast<double>(row[1]), static_cast<double>(row[2])};
    targets.mutable_data()[i] =
        static_cast<Scalar>(std::sin(2 * x[0]) + std::tanh(x[0] * x[1]) - 0.5 * x[2] + 0.5 * rng.normal());
  }
  return {inputs, targets};
}

/// Where the examples look for MNIST.
inline std::filesystem::path mnist_folder() {
  if (const char* data = std::getenv("HANDRAIL_DATA")) return data;
  const char* home = std::getenv("HOME");
  return std::filesystem::path(home ? home : "/") / ".cache/handrail/mnist";
}
inline bool have_mnist() {
  return std::filesystem::exists(mnist_folder() / "train-images-idx3-ubyte") ||
         std::filesystem::exists(mnist_folder() / "train-images-idx3-ubyte.gz");
}

/// Appends linear layers with ReLU in between.
inline void push_mlp(nn::Sequential& model, const std::vector<Index>& widths, std::uint64_t seed) {
  Rng rng(seed);
  for (std::size_t l = 0; l + 1 < widths.size(); ++l) {
    if (l > 0) model.push_back(nn::ReLU());
    model.push_back(nn::Linear(widths[l], widths[l + 1], rng));
  }
}
inline nn::Sequential mlp(const std::vector<Index>& widths, std::uint64_t seed) {
  nn::Sequential model;
  push_mlp(model, widths, seed);
  return model;
}

}  // namespace bench
