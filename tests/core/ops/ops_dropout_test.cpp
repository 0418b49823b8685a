#include <doctest/doctest.h>

#include <cmath>
#include <set>
#include <vector>

#include <handrail/core/error.h>
#include <handrail/core/ops/ops.h>

#include "support/check_throws.h"
#include "support/tensors.h"

using namespace handrail;

namespace {

// What dropout makes of ones at a random position, at the call with that number.
Tensor mask(RandomPosition position, int call = 0, double p = 0.5, Index size = 1000) {
  const Tape tape(Mode::train, position);
  const Tensor ones = Tensor::ones({size});
  for (int i = 0; i < call; ++i) dropout(Tensor::ones({1}), p);
  return dropout(ones, p);
}

}  // namespace

TEST_CASE("dropout keeps the wanted share and scales it up") {
  for (const double p : {0.1, 0.5, 0.9}) {
    constexpr Index n = 200'000;
    const Tensor y = mask({.seed = 3, .position = 0}, 0, p, n);
    Index kept = 0, other = 0;
    const auto scale = static_cast<Scalar>(1 / (1 - p));
    for (const Scalar element : y.span()) {
      kept += element == scale;
      other += element != 0 && element != scale;
    }
    CHECK(other == 0);
    CHECK(std::abs(static_cast<double>(kept) / n - (1 - p)) < 5 * std::sqrt(p * (1 - p) / n));
  }
}

TEST_CASE("a mask is a function of seed, position and call") {
  const Tensor first = mask({.seed = 1, .position = 2});
  CHECK(same_bits(first, mask({.seed = 1, .position = 2})));
  CHECK_FALSE(same_bits(first, mask({.seed = 1, .position = 3})));
  CHECK_FALSE(same_bits(first, mask({.seed = 2, .position = 2})));
  CHECK_FALSE(same_bits(first, mask({.seed = 1, .position = 2}, 1)));
  CHECK_FALSE(same_bits(mask({.seed = 1, .position = 2}, 1), mask({.seed = 1, .position = 2}, 2)));
}

TEST_CASE("a mask is the same on any number of threads") {
  const auto on = [](int threads) {
    const ThreadCount count(threads);
    return mask({.seed = 5, .position = 6}, 0, 0.3, 100'003);
  };
  const Tensor one = on(1);
  CHECK(same_bits(one, on(2)));
  CHECK(same_bits(one, on(8)));
}

TEST_CASE("the gradient passes where the element did, by the same factor") {
  const Tensor x = leaf(Tensor::ones({500}));
  Tape tape(Mode::train, {.seed = 1, .position = 1});
  const Tensor y = dropout(x, 0.25);
  tape.backward(sum(y));
  CHECK(same_bits(x.grad(), y));
}

TEST_CASE("dropout is the identity in evaluation, without a tape and for p of 0") {
  const Tensor x = Tensor::ones({4});
  CHECK(dropout(x, 0.5).is_same(x));
  {
    const Tape tape{Mode::eval};
    CHECK(dropout(x, 0.5).is_same(x));
  }
  const Tape tape;  // without random position, which p = 0 does not need
  CHECK(dropout(x, 0).is_same(x));
}

TEST_CASE("dropout on a tape without random position is refused, showing how to make one") {
  const Tape tape;
  check_throws<TapeError>([] { return dropout(Tensor::ones({2}), 0.5); },
                          "dropout: want a tape with a position in the random streams",
                          "Tape tape{Mode::train, {.seed = 42, .position = step}}", "got one without");
  std::uint32_t call = 0;
  check_throws<TapeError>([&] { return Tape::next_random("mine", call); }, "mine: ", "got one without");
}

TEST_CASE("random streams without any tape are refused") {
  std::uint32_t call = 0;
  check_throws<TapeError>([&] { return Tape::next_random("mine", call); }, "mine: ", "got no tape");
}

TEST_CASE("a probability outside of [0, 1) is refused, also in evaluation") {
  for (const double p : {-0.1, 1.0, 2.0, std::nan("")})
    check_throws<OptionError>([p] { return dropout(Tensor::ones({2}), p); }, "dropout: want a probability in [0, 1)");
}
