#include <cstdio>

#include <handrail/handrail.h>

#include "cube.h"

using namespace handrail;

struct Cube : nn::Layer {
  Tensor forward(const Tensor& x) const override { return cube(x); }
};

// Learns exclusive or with a layer made of the own op.
int main() try {
  const Tensor inputs({4, 2}, {0, 0, 0, 1, 1, 0, 1, 1}), targets({4}, {0, 1, 1, 0});
  const train::TensorDataset data(inputs, targets);
  Rng rng(1);
  nn::Sequential model{nn::Linear{2, 16, rng}, Cube{}, nn::Linear{16, 2, rng}};
  train::Trainer trainer{model, cross_entropy, {.epochs = 300, .batch_size = 4, .lr = 0.02, .sinks = {}}};
  trainer.fit(data, data);
  const auto result = trainer.evaluate(data);
  std::printf("xor: loss %.4f, accuracy %.2f\n", result.loss, result.accuracy());
  return result.accuracy() == 1.0 ? 0 : 1;
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
