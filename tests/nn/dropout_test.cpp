#include <handrail/nn/dropout.h>

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include <handrail/core/error.h>
#include <handrail/core/ops/ops.h>

#include "support/check_throws.h"
#include "support/tensors.h"

using namespace handrail;

namespace {

Tensor masked(const nn::Dropout& layer, std::uint64_t seed, std::uint64_t position, const Shape& shape = {50, 40}) {
  const Tape tape{Mode::train, {.seed = seed, .position = position}};
  return layer(Tensor::ones(shape));
}

}  // namespace

TEST_CASE("Dropout is the identity in evaluation and with probability zero") {
  const Tensor x = Tensor::ones({3, 4});
  CHECK(nn::Dropout{0.5}(x).is_same(x));
  {
    const Tape tape{Mode::eval};
    CHECK(nn::Dropout{0.5}(x).is_same(x));
  }
  const Tape tape;
  CHECK(nn::Dropout{0}(x).is_same(x));
}

TEST_CASE("Dropout zeroes with probability p and divides the others by 1 - p") {
  for (const double p : {0.1, 0.5, 0.9}) {
    const Tensor y = masked(nn::Dropout{p}, 1, 1, {200, 100});
    std::size_t zeros = 0;
    for (const Scalar e : y.span()) {
      zeros += e == 0 ? 1u : 0u;
      if (e != 0) CHECK(static_cast<double>(e) == doctest::Approx(1 / (1 - p)).epsilon(1e-6));
    }
    CHECK(std::abs(static_cast<double>(zeros) / 20000 - p) < 5 * std::sqrt(p * (1 - p) / 20000));
  }
}

TEST_CASE("Dropout's mask follows from seed, position and the order of calls") {
  const nn::Dropout layer;
  CHECK(same_bits(masked(layer, 1, 1), masked(layer, 1, 1)));
  CHECK_FALSE(same_bits(masked(layer, 1, 1), masked(layer, 1, 2)));
  CHECK_FALSE(same_bits(masked(layer, 1, 1), masked(layer, 2, 1)));
  const Tape tape{Mode::train, {.seed = 1, .position = 1}};
  const Tensor x = Tensor::ones({50, 40}), first = layer(x), second = layer(x);
  CHECK_FALSE(same_bits(first, second));
}

TEST_CASE("the gradient goes through Dropout where the value did") {
  const Tensor x = leaf(Tensor::ones({50, 40}));
  Tape tape{Mode::train, {.seed = 3, .position = 4}};
  const Tensor y = nn::Dropout{0.5}(x);
  tape.backward(sum(y));
  CHECK(same_bits(x.grad(), y));
}

TEST_CASE("Dropout in training wants a tape with a random position") {
  const Tape tape;
  check_throws<TapeError>([] { nn::Dropout{0.5}(Tensor::ones({2})); },
                          "dropout: want a tape with a position in the random streams", "got one without");
}

TEST_CASE("Dropout refuses probabilities outside [0, 1)") {
  for (const double p : {-0.1, 1.0, 1.5, std::numeric_limits<double>::quiet_NaN()})
    check_throws<OptionError>([&] { nn::Dropout{p}; }, "Dropout: want a probability in [0, 1); got ");
}
