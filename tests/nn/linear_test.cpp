#include <handrail/nn/linear.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include <handrail/core/error.h>

#include "support/check_throws.h"
#include "support/tensors.h"

using namespace handrail;

TEST_CASE("a linear layer computes x W + b") {
  Rng rng{1};
  const nn::Linear layer{2, 3, rng};
  std::ranges::copy(Tensor({2, 3}, {1, 2, 3, 4, 5, 6}).span(), layer.weight.mutable_data());
  std::ranges::copy(Tensor({3}, {10, 20, 30}).span(), layer.bias.mutable_data());
  const Tensor y = layer(Tensor({2, 2}, {1, 0, -1, 2}));
  CHECK(same_bits(y, Tensor({2, 3}, {11, 22, 33, 17, 28, 39})));
}

TEST_CASE("a linear layer starts uniform in +-1/sqrt(in)") {
  Rng rng{3};
  const nn::Linear layer{100, 300, rng};
  CHECK(layer.weight.shape() == Shape{100, 300});
  CHECK(layer.bias.shape() == Shape{300});
  for (const Tensor& tensor : {layer.weight, layer.bias}) {
    const auto [low, high] = std::ranges::minmax(tensor.span());
    CHECK(low >= Scalar(-0.1));
    CHECK(low < Scalar(-0.095));
    CHECK(high <= Scalar(0.1));
    CHECK(high > Scalar(0.095));
  }
  double mean = 0, square = 0;
  for (const Scalar w : layer.weight.span()) {
    mean += static_cast<double>(w) / 30000;
    square += static_cast<double>(w) * static_cast<double>(w) / 30000;
  }
  CHECK(std::abs(mean) < 5 * 0.1 / std::sqrt(3 * 30000.0));  // five standard errors
  CHECK(square == doctest::Approx(0.01 / 3).epsilon(0.03));
}

TEST_CASE("the same seed makes the same weights, another seed and the next layer others") {
  Rng one{5}, again{5}, other{6};
  const nn::Linear a{4, 8, one}, b{4, 8, again}, c{4, 8, other}, next{4, 8, one};
  CHECK(same_bits(a.weight, b.weight));
  CHECK(same_bits(a.bias, b.bias));
  CHECK_FALSE(same_bits(a.weight, c.weight));
  CHECK_FALSE(same_bits(a.weight, next.weight));
}

TEST_CASE("a linear layer can do without a bias") {
  Rng rng{1};
  const nn::Linear layer{2, 3, rng, {.bias = false}};
  CHECK_FALSE(layer.bias.defined());
  CHECK(layer.parameters().size() == 1);
  CHECK(layer.parameter_count() == 6);
  CHECK(same_bits(layer(Tensor::zeros({4, 2})), Tensor::zeros({4, 3})));
}

TEST_CASE("a linear layer refuses sizes below one and inputs that do not fit") {
  Rng rng{1};
  check_throws<OptionError>([&] { nn::Linear(0, 3, rng); }, "Linear: want in and out of at least 1; got 0 and 3");
  check_throws<OptionError>([&] { nn::Linear(3, -1, rng); }, "Linear: want in and out of at least 1; got 3 and -1");
  const nn::Linear layer{2, 3, rng}, bare{2, 3, rng, {.bias = false}};
  check_throws<ShapeError>(
      [&] {
        layer(Tensor::ones({5, 4}));
      },
      "linear: want x [N, in], weight [in, out], bias [out]; got x [5, 4], weight [2, 3]");
  check_throws<ShapeError>(
      [&] {
        bare(Tensor::ones({5, 4}));
      },
      "linear: want x [N, in], weight [in, out]; got x [5, 4], weight [2, 3]");
}
