#include <handrail/nn/sequential.h>

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <handrail/core/ops/ops.h>
#include <handrail/nn/activation.h>
#include <handrail/nn/linear.h>
#include <handrail/nn/norm.h>

#include "support/tensors.h"

using namespace handrail;

TEST_CASE("Sequential calls its layers one after the other and names them by number") {
  Rng rng{1}, again{1};
  const nn::Linear first{3, 4, again}, second{4, 2, again};
  const nn::Sequential model{nn::Linear{3, 4, rng}, nn::ReLU{}, nn::Linear{4, 2, rng}};
  CHECK(model.size() == 3);
  const Tensor x({2, 3}, {1, -2, 3, -4, 5, -6});
  CHECK(same_bits(model(x), second(relu(first(x)))));
  std::vector<std::string> names;
  for (const Parameter& p : model.parameters()) names.push_back(p.name);
  CHECK(names == std::vector<std::string>{"0.weight", "0.bias", "2.weight", "2.bias"});
}

TEST_CASE("layers are appended to a Sequential, which may be nested and moved") {
  Rng rng{1};
  nn::Sequential inner{nn::Linear{2, 2, rng}};
  const nn::Linear& last = inner.push_back(nn::Linear{2, 1, rng});
  CHECK(inner.size() == 2);
  CHECK(inner.parameters()[2].tensor.is_same(last.weight));
  const Tensor x({1, 2}, {3, 4}), want = inner(x);

  const nn::Sequential outer{std::move(inner), nn::BatchNorm1d{1, {.eps = 0}}};
  CHECK(same_bits(outer(x), want));
  CHECK(outer.parameters()[2].name == "0.1.weight");
  CHECK(outer.parameters()[2].tensor.is_same(last.weight));
  CHECK(outer.buffers()[0].name == "1.running_mean");
}

TEST_CASE("gradients reach every layer of a Sequential") {
  Rng rng{1};
  const nn::Sequential model{nn::Linear{3, 4, rng}, nn::Tanh{}, nn::LayerNorm{4}, nn::Linear{4, 2, rng}};
  Tape tape;
  tape.backward(mean(square(model(Tensor({2, 3}, {1, -2, 3, -4, 5, -6})))));
  for (const Parameter& p : model.parameters()) CHECK(p.tensor.grad().defined());
}

TEST_CASE("a Sequential can be built anew from the layers of another one, and take its place") {
  Rng rng{1};
  nn::Sequential model{nn::Linear{3, 4, rng}, nn::Linear{4, 2, rng}};
  const Tensor x({2, 3}, {1, -2, 3, -4, 5, -6}), before = model(x);
  auto layers = model.layers();
  const nn::Layer* last = layers[1].get();
  layers.insert(layers.begin() + 1, std::make_shared<nn::ReLU>());
  nn::Sequential other(layers);
  CHECK(same_bits(model(x), before));

  model.swap(other);
  CHECK(model.size() == 3);
  CHECK(model.layers()[2].get() == last);
  CHECK(model.parameters()[2].name == "2.weight");
  CHECK_FALSE(same_bits(model(x), before));
  CHECK(same_bits(other(x), before));
  CHECK(other.parameters()[2].tensor.is_same(model.parameters()[2].tensor));
}
