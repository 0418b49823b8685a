#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <vector>

#include <handrail/core/random.h>
#include <handrail/train/math/initial_loss.h>
#include <handrail/train/math/robust.h>
#include <handrail/train/math/smoothing.h>
#include <handrail/train/math/state_visitor.h>
#include <handrail/train/math/trend.h>

using namespace handrail;
using namespace handrail::train;

namespace {

constexpr double nan_value = std::numeric_limits<double>::quiet_NaN();

std::vector<double> whole(std::span<const double> values) { return {values.begin(), values.end()}; }

}  // namespace

TEST_CASE("the differences of pairs have a mean and its standard error, whatever the pairs have in common") {
  const auto [mean, error] = paired_moments(std::vector<double>{101, 202, 306}, std::vector<double>{100, 200, 300});
  CHECK(mean == 3);
  CHECK(error == doctest::Approx(std::sqrt(7.0 / 3)));  // of 1, 2 and 6: a variance of 7
  CHECK(paired_moments(std::vector<double>{2}, std::vector<double>{5}).mean == -3);
}

TEST_CASE("the average of a constant series is exactly that constant from the first value on") {
  for (const double beta : {0.0, 0.5, 0.99})
    for (const double constant : {2.302585, -0.1, 1e-30, 3e38}) {
      Ema ema(beta);
      CHECK(ema.value() == 0);
      for (int i = 0; i < 5000; ++i) {
        ema.add(constant);
        REQUIRE(ema.value() == constant);
      }
    }
}

TEST_CASE("the moving average equals the textbook recursion, debiased") {
  Rng rng(1);
  Ema ema(0.9);
  double biased = 0, power = 1;
  for (int t = 1; t <= 300; ++t) {
    const double x = rng.normal();
    ema.add(x);
    biased = 0.9 * biased + 0.1 * x;
    power *= 0.9;
    CHECK(ema.value() == doctest::Approx(biased / (1 - power)).epsilon(1e-12));
  }
}

TEST_CASE("a moving average continues from its state, and refuses one that is damaged") {
  Ema ema, other;
  for (int i = 0; i < 30; ++i) ema.add(i);
  REQUIRE(train::load_state(other, train::save_state(ema)));
  for (int i = 0; i < 30; ++i) {
    ema.add(1.0 / (1 + i));
    other.add(1.0 / (1 + i));
    CHECK(other.value() == ema.value());
  }
  const auto before = train::save_state(other);
  for (const std::vector<double>& bad :
       std::vector<std::vector<double>>{{}, {1}, {1, 0.5, 0}, {nan_value, 0.5}, {1, -0.1}, {1, 1.1}, {1, nan_value}})
    CHECK_FALSE(train::load_state(other, bad));
  CHECK(train::save_state(other) == before);
}

TEST_CASE("median and robust scale have their textbook values") {
  std::vector<double> odd{100, 2, 1, 4, 3}, even{4, 1, 3, 2}, one{-7};
  CHECK(median(odd) == 3);
  CHECK(median(even) == 2.5);
  CHECK(median(one) == -7);
  const RobustScale scale = robust_scale(odd);
  CHECK(scale.median == 3);
  CHECK(scale.scale == doctest::Approx(1.4826));  // deviations 2 1 0 1 97

  Rng rng(2);
  std::vector<double> normal(20'000);
  for (double& x : normal) x = 5 + 3 * rng.normal();
  CHECK(robust_scale(normal).scale == doctest::Approx(3).epsilon(0.03));
}
