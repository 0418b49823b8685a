#include <handrail/train/run/fixes/internal/paired.h>

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <vector>

#include <handrail/core/random.h>

using namespace handrail;
using train::is_lower_beyond_noise;
using train::paired_difference;

namespace {

// Losses of 30 groups, `better` lower than `worse` by that much in the mean.
std::vector<double> losses(std::uint64_t seed, double shift) {
  Rng rng(seed);
  std::vector<double> all;
  for (int i = 0; i < 30; ++i) all.push_back(1 + shift + static_cast<double>(rng.below(1000)) / 1000);
  return all;
}

}  // namespace

TEST_CASE("a paired difference has an interval around its mean") {
  const auto [mean, low, high] = paired_difference(std::vector<double>{1, 2, 3}, std::vector<double>{2, 3, 5});
  CHECK(mean == doctest::Approx(4.0 / 3));
  CHECK(high - mean == doctest::Approx(1.96 * std::sqrt(1.0 / 3 / 3)));
  CHECK(mean - low == doctest::Approx(high - mean));
}

TEST_CASE("a loss that is not finite is worse than any other") {
  const std::vector<double> good{1, 1}, bad{1, std::numeric_limits<double>::infinity()};
  CHECK(is_lower_beyond_noise(bad, good));
  CHECK_FALSE(is_lower_beyond_noise(good, bad));
  CHECK_FALSE(is_lower_beyond_noise(bad, bad));
}

TEST_CASE("lower losses are told from noise") {
  const auto reference = losses(1, 0);
  CHECK(is_lower_beyond_noise(reference, losses(1, -0.1)));
  CHECK_FALSE(is_lower_beyond_noise(reference, reference));
  CHECK_FALSE(is_lower_beyond_noise(losses(1, -0.1), reference));
  int alarms = 0;
  for (std::uint64_t seed = 2; seed < 1002; ++seed) alarms += is_lower_beyond_noise(reference, losses(seed, 0)) ? 1 : 0;
  CHECK(alarms < 80);  // the groups of the reference are the same each time, so that alarms come together
}

TEST_CASE("a few huge losses hide no difference from the ranks") {
  auto reference = losses(1, 0), now = losses(1, -0.2);
  reference[3] = 1e6;
  reference[4] = 3e5;
  CHECK_FALSE(paired_difference(reference, now).high < 0);
  CHECK(is_lower_beyond_noise(reference, now));
}
