#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <numeric>
#include <set>
#include <span>
#include <vector>

#include <handrail/core/error.h>
#include <handrail/core/random.h>

#include "support/check_throws.h"
#include "support/tensors.h"

using namespace handrail;

TEST_CASE("Philox gives the published known answers") {
  // The vectors of Random123, kat_vectors, philox4x32-10.
  using Words = std::array<std::uint32_t, 4>;
  CHECK(philox4x32({0, 0, 0, 0}, {0, 0}) == Words{0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8});
  constexpr std::uint32_t ones = 0xFFFFFFFF;
  CHECK(philox4x32({ones, ones, ones, ones}, {ones, ones}) == Words{0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD});
  CHECK(philox4x32({0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344}, {0xA4093822, 0x299F31D0}) ==
        Words{0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1});
}

TEST_CASE("a block is a function of seed, stream, position, call and index, and of nothing else") {
  const StreamKey key{.seed = 5, .stream = Stream::dropout, .position = 7, .call = 9};
  std::vector<StreamKey> keys(6, key);
  keys[1].seed = 6;
  keys[2].stream = Stream::shuffle;
  keys[3].position = 8;
  keys[4].call = 10;
  keys[5].position = std::uint64_t{7} | std::uint64_t{1} << 32;
  std::set<std::array<std::uint32_t, 4>> blocks;
  for (const StreamKey& k : keys)
    for (const std::uint32_t index : {0U, 1U}) blocks.insert(random_block(k, index));
  CHECK(blocks.size() == 12);
  CHECK(random_block(key, 3) == random_block(key, 3));
}

TEST_CASE("a generator draws the words of the blocks in order") {
  const StreamKey key{.seed = 1, .stream = Stream::user, .position = 2, .call = 3};
  Rng rng(key);
  for (std::uint32_t index = 0; index < 3; ++index)
    for (const std::uint32_t word : random_block(key, index)) CHECK(rng.bits() == word);
}

TEST_CASE("the same seed draws the same numbers and another seed others") {
  Rng a(3), b(3), c(4);
  int equal = 0;
  for (int i = 0; i < 100; ++i) {
    const std::uint32_t word = a.bits();
    CHECK(word == b.bits());
    equal += word == c.bits();
  }
  CHECK(equal < 3);
}

TEST_CASE("uniform numbers lie in their range and have its moments") {
  Rng rng(11);
  constexpr int n = 200'000;
  double sum = 0, squares = 0, low = 1, high = 0;
  for (int i = 0; i < n; ++i) {
    const double u = rng.uniform();
    low = std::min(low, u);
    high = std::max(high, u);
    sum += u;
    squares += u * u;
  }
  CHECK(low >= 0);
  CHECK(low < 1e-4);
  CHECK(high < 1);
  CHECK(high > 1 - 1e-4);
  // Five standard deviations of the mean, 1 / sqrt(12 n), and of the mean square, sqrt(4 / 45 / n).
  CHECK(std::abs(sum / n - 0.5) < 5 / std::sqrt(12.0 * n));
  CHECK(std::abs(squares / n - 1.0 / 3) < 5 * std::sqrt(4.0 / 45 / n));
  for (int i = 0; i < 1000; ++i) {
    const double u = rng.uniform(-2, 3);
    CHECK(u >= -2);
    CHECK(u < 3);
  }
}

TEST_CASE("normal numbers have mean 0, variance 1 and the tails of a normal distribution") {
  Rng rng(12);
  constexpr int n = 200'000;
  double sum = 0, squares = 0;
  int beyond = 0;
  for (int i = 0; i < n; ++i) {
    const double z = rng.normal();
    sum += z;
    squares += z * z;
    beyond += std::abs(z) > 2;
  }
  CHECK(std::abs(sum / n) < 5 / std::sqrt(double{n}));
  CHECK(std::abs(squares / n - 1) < 5 * std::sqrt(2.0 / n));
  constexpr double tail = 0.04550026;  // P(|z| > 2)
  CHECK(std::abs(beyond / double{n} - tail) < 5 * std::sqrt(tail / n));
}

TEST_CASE("below draws every number equally often") {
  // Chi-square with n - 1 degrees of freedom; mean + 5 standard deviations is a bound it keeps to.
  Rng rng(13);
  for (const std::uint64_t n : std::initializer_list<std::uint64_t>{2, 3, 10, 97}) {
    const int draws = 50'000;
    std::vector<int> counts(n);
    for (int i = 0; i < draws; ++i) ++counts.at(rng.below(n));
    const double expected = draws / static_cast<double>(n);
    double chi_square = 0;
    for (const int count : counts) chi_square += (count - expected) * (count - expected) / expected;
    const double freedom = static_cast<double>(n) - 1;
    CHECK(chi_square < freedom + 5 * std::sqrt(2 * freedom));
  }
}

TEST_CASE("below is unbiased for a range that is large against the words") {
  // Of [0, 3 * 2^62) a third lies below 2^62; the plain remainder of 64 bits would make it a half.
  Rng rng(14);
  int low = 0;
  for (int i = 0; i < 30'000; ++i) low += rng.below(std::uint64_t{3} << 62) < std::uint64_t{1} << 62;
  CHECK(std::abs(low / 30'000.0 - 1.0 / 3) < 5 * std::sqrt(2.0 / 9 / 30'000));
}

TEST_CASE("below 1 is 0 and below 0 is refused") {
  Rng rng(15);
  CHECK(rng.below(1) == 0);
  check_throws<Error>([&] { rng.below(0); }, "Rng::below: want n > 0");
}

namespace {

std::vector<int> shuffled(const StreamKey& key, std::size_t n) {
  std::vector<int> order(n);
  std::iota(order.begin(), order.end(), 0);
  Rng(key).shuffle(std::span(order));
  return order;
}

}  // namespace

TEST_CASE("a shuffle is a permutation and a function of its key") {
  const StreamKey key{.seed = 1, .stream = Stream::shuffle, .position = 4};
  const std::vector<int> order = shuffled(key, 1000);
  CHECK(order == shuffled(key, 1000));
  CHECK(order != shuffled({.seed = 1, .stream = Stream::shuffle, .position = 5}, 1000));
  CHECK(order != shuffled({.seed = 2, .stream = Stream::shuffle, .position = 4}, 1000));
  CHECK(order != shuffled({.seed = 1, .stream = Stream::split, .position = 4}, 1000));
  std::vector<int> sorted = order;
  std::ranges::sort(sorted);
  for (int i = 0; i < 1000; ++i) CHECK(sorted[static_cast<std::size_t>(i)] == i);
  CHECK(shuffled(key, 0).empty());
  CHECK(shuffled(key, 1) == std::vector{0});
}

TEST_CASE("a shuffle puts every item in every place equally often") {
  std::array<std::array<int, 4>, 4> counts{};
  constexpr int rounds = 20'000;
  for (std::uint64_t epoch = 0; epoch < rounds; ++epoch) {
    const std::vector<int> order = shuffled({.seed = 9, .stream = Stream::shuffle, .position = epoch}, 4);
    for (std::size_t place = 0; place < 4; ++place) ++counts[place][static_cast<std::size_t>(order[place])];
  }
  for (const auto& row : counts)
    for (const int count : row) CHECK(std::abs(count - rounds / 4.0) < 5 * std::sqrt(rounds * 3.0 / 16));
}

TEST_CASE("random tensors are drawn in order from the generator") {
  Rng a(21), b(21);
  const Tensor u = uniform({3, 5}, -1, 1, a);
  CHECK(u.shape() == Shape{3, 5});
  for (const Scalar element : u.span()) CHECK(element == static_cast<Scalar>(b.uniform(-1, 1)));
  const Tensor z = normal({7}, 2, 3, a);
  for (const Scalar element : z.span()) CHECK(element == static_cast<Scalar>(2 + 3 * b.normal()));
}
