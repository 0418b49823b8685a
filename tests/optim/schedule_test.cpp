#include <handrail/optim/schedule.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <vector>

#include <handrail/core/error.h>

#include "support/check_throws.h"

using namespace handrail;

namespace {

using Make = optim::Schedule (*)(const optim::WarmupOptions&);
constexpr Make both[] = {optim::warmup_cosine, optim::warmup_linear};

}  // namespace

TEST_CASE("a constant schedule is constant") {
  const optim::Schedule schedule = optim::constant(0.3);
  for (const std::int64_t step : {1, 2, 1000000}) CHECK(schedule(step) == 0.3);
  for (const double lr : {0.0, -1.0, std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()})
    check_throws<OptionError>([&] { optim::constant(lr); }, "constant: want a rate > 0; got ");
}

TEST_CASE("a warmup rises from peak / warmup_steps in equal steps to the peak") {
  for (const Make make : both) {
    const optim::Schedule schedule = make({.peak = 0.5, .warmup_steps = 4, .total_steps = 10, .floor = 0.125});
    CHECK(schedule(1) == 0.125);
    CHECK(schedule(2) == 0.25);
    CHECK(schedule(3) == 0.375);
    CHECK(schedule(4) == 0.5);
    CHECK(schedule(5) < 0.5);
  }
}

TEST_CASE("without a warmup the first step is at the peak") {
  for (const Make make : both) {
    CHECK(make({.peak = 0.3, .total_steps = 10})(1) == 0.3);
    CHECK(make({.peak = 0.3, .total_steps = 1})(1) == 0.3);
    CHECK(make({.peak = 0.3, .warmup_steps = 1, .total_steps = 10})(1) == 0.3);
  }
}

TEST_CASE("the cosine falls along half a period that would end one step after the last") {
  const optim::Schedule schedule = optim::warmup_cosine({.peak = 1, .warmup_steps = 2, .total_steps = 9, .floor = 0.2});
  for (std::int64_t k = 2; k <= 9; ++k) {
    const double progress = static_cast<double>(k - 2) / 8;
    CHECK(schedule(k) == doctest::Approx(0.2 + 0.4 * (1 + std::cos(std::numbers::pi * progress))).epsilon(1e-14));
  }
  CHECK(schedule(6) == doctest::Approx(0.6).epsilon(1e-14));
}

TEST_CASE("the line falls by equal steps that would end one step after the last") {
  const optim::Schedule schedule = optim::warmup_linear({.peak = 1, .warmup_steps = 2, .total_steps = 9, .floor = 0.5});
  for (std::int64_t k = 2; k <= 9; ++k)
    CHECK(schedule(k) == doctest::Approx(1 - static_cast<double>(k - 2) / 16).epsilon(1e-14));
}

TEST_CASE("every planned step has a rate above the floor and none is at zero") {
  for (const Make make : both)
    for (const double floor : {0.0, 1e-5})
      for (const std::int64_t warmup : {0, 1, 7, 98, 99}) {
        const optim::WarmupOptions options{.peak = 3e-3, .warmup_steps = warmup, .total_steps = 100, .floor = floor};
        const optim::Schedule schedule = make(options);
        const std::int64_t top = std::max<std::int64_t>(warmup, 1);
        CHECK(schedule(top) == doctest::Approx(3e-3).epsilon(1e-14));
        for (std::int64_t k = 1; k <= 100; ++k) {
          CHECK(schedule(k) > 0);
          CHECK(schedule(k) <= 3e-3 * (1 + 1e-14));
          if (k > 1 && k <= top) CHECK(schedule(k) > schedule(k - 1));
          if (k > top) CHECK(schedule(k) < schedule(k - 1));
          if (k > top) CHECK(schedule(k) > floor);
        }
      }
}

TEST_CASE("beyond its ends a schedule stays where it was") {
  for (const Make make : both) {
    const optim::Schedule schedule = make({.peak = 1, .warmup_steps = 3, .total_steps = 20, .floor = 0.1});
    for (const std::int64_t step : {std::int64_t{21}, std::int64_t{1000}, std::numeric_limits<std::int64_t>::max()})
      CHECK(schedule(step) == schedule(20));
    CHECK(schedule(0) == schedule(1));
    CHECK(schedule(-5) == schedule(1));
  }
}

TEST_CASE("a floor at the peak makes the rate constant after the warmup") {
  for (const Make make : both) {
    const optim::Schedule schedule = make({.peak = 0.5, .warmup_steps = 2, .total_steps = 10, .floor = 0.5});
    for (std::int64_t k = 2; k < 12; ++k) CHECK(schedule(k) == 0.5);
  }
}

TEST_CASE("schedules list every option that is out of range") {
  check_throws<OptionError>(
      [] { optim::warmup_cosine({.peak = -1, .warmup_steps = 10, .total_steps = 10, .floor = -2}); },
      "warmup_cosine:", "want peak > 0; got -1", "want floor in [0, peak]; got -2",
      "want 0 <= warmup_steps < total_steps; got 10 and 10");
  check_throws<OptionError>([] { optim::warmup_linear({.peak = 1, .total_steps = 0}); },
                            "warmup_linear:", "want 0 <= warmup_steps < total_steps; got 0 and 0");
  check_throws<OptionError>([] { optim::warmup_linear({.peak = 1, .warmup_steps = -1, .total_steps = 5}); },
                            "got -1 and 5");
  check_throws<OptionError>([] { optim::warmup_linear({.peak = 1, .total_steps = 5, .floor = 1.5}); },
                            "want floor in [0, peak]; got 1.5");
  for (const double peak : {0.0, std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()})
    check_throws<OptionError>([&] { optim::warmup_cosine({.peak = peak, .total_steps = 5}); }, "want peak > 0; got ");
}
