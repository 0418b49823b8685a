#include <handrail/nn/activation.h>

#include <doctest/doctest.h>

#include <handrail/core/error.h>
#include <handrail/core/ops/ops.h>

#include "reference/inputs.h"
#include "support/check_throws.h"
#include "support/tensors.h"

using namespace handrail;

TEST_CASE("activation layers are the functions of their names, without parameters") {
  const Tensor x = reference::values({4, 6}, 0, 3);
  CHECK(same_bits(nn::ReLU{}(x), relu(x)));
  CHECK(same_bits(nn::Tanh{}(x), tanh(x)));
  CHECK(same_bits(nn::Sigmoid{}(x), sigmoid(x)));
  CHECK(same_bits(nn::GELU{}(x), gelu(x)));
  CHECK(same_bits(nn::Softplus{}(x), softplus(x)));
  CHECK(nn::ReLU{}.parameters().empty());
}

TEST_CASE("Flatten makes one row of each sample") {
  const nn::Flatten flatten;
  CHECK(flatten(Tensor::ones({2, 3, 4})).shape() == Shape{2, 12});
  CHECK(flatten(Tensor::ones({2, 3, 4, 5})).shape() == Shape{2, 60});
  CHECK(flatten(Tensor::ones({2, 3})).shape() == Shape{2, 3});
  CHECK(flatten(Tensor::ones({5})).shape() == Shape{5, 1});
  CHECK(flatten(Tensor::ones({0, 3, 4})).shape() == Shape{0, 12});
  const Tensor x({1, 2, 2}, {1, 2, 3, 4});
  check_values(flatten(x), {1, 2, 3, 4});
  check_throws<ShapeError>([&] { flatten(Tensor::scalar(1)); }, "axis");
}

TEST_CASE("gradients go through Flatten in the shape of its input") {
  const Tensor x = leaf(Tensor::ones({2, 3, 4})), c = reference::values({2, 12}, 0);
  Tape tape;
  tape.backward(sum(nn::Flatten{}(x)*c));
  CHECK(x.grad().shape() == Shape{2, 3, 4});
  CHECK(same_bits(x.grad(), c.view({2, 3, 4})));
}
