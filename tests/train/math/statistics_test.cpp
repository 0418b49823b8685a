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

TEST_CASE("a line is fitted by ordinary least squares") {
  const std::vector<double> values{1, 3, 2, 5, 4};
  const LineFit fit = fit_line(values);
  CHECK(fit.mean == doctest::Approx(3));
  CHECK(fit.slope == doctest::Approx(0.8));
  // Residuals -0.4 0.8 -1 1.2 -0.6: their squares sum to 3.6, the positions' to 10; neighbours anticorrelate.
  CHECK(fit.correlation == 0);
  CHECK(fit.slope_error == doctest::Approx(std::sqrt(3.6 / 3 / 10)));
  CHECK(fit.effective_count == doctest::Approx(5));

  std::vector<double> line(1003);
  for (std::size_t i = 0; i < line.size(); ++i) line[i] = 7 - 0.25 * static_cast<double>(i);
  CHECK(fit_line(line).slope == doctest::Approx(-0.25).epsilon(1e-12));
  CHECK(fit_line(line).slope_error < 1e-12);
  CHECK(fit_line(std::vector<double>{1, 2}).slope == 0);
}

TEST_CASE("a constant series has no slope beyond its error") {
  for (const double constant : {2.3, -0.1, 1e-9, 7e5})
    for (std::size_t n = 3; n < 200; ++n) {
      const LineFit fit = fit_line(std::vector<double>(n, constant));
      const bool certain = std::abs(fit.slope) > fit.slope_error;
      CHECK_MESSAGE(!certain, n, " values ", constant, ": slope ", fit.slope, ", error ", fit.slope_error);
    }
}

TEST_CASE("correlated residuals widen the error of the slope") {
  std::vector<double> wave(400);
  for (std::size_t i = 0; i < wave.size(); ++i) wave[i] = std::sin(static_cast<double>(i) / 40);
  const LineFit fit = fit_line(wave);
  CHECK(fit.correlation == 0.95);
  CHECK(fit.effective_count == doctest::Approx(400 / 39.0));
}

TEST_CASE("the error bound of a slope holds about as often as it claims for AR(1) noise") {
  for (const double rho : {0.0, 0.5, 0.9}) {
    int outside = 0;
    constexpr int runs = 400;
    for (int run = 0; run < runs; ++run) {
      Rng rng(static_cast<std::uint64_t>(run));
      std::vector<double> values;
      double noise = rng.normal();
      for (int i = 0; i < 400; ++i) {
        values.push_back(noise);
        noise = rho * noise + std::sqrt(1 - rho * rho) * rng.normal();
      }
      const LineFit fit = fit_line(values);
      outside += fit.slope + 1.645 * fit.slope_error < 0;
    }
    CAPTURE(rho);
    CHECK(outside > runs / 50);  // 5 % are meant; the estimate of rho is a little low
    CHECK(outside < runs / 10);
  }
}

TEST_CASE("a window keeps the newest values, oldest first") {
  Window window(4);
  CHECK(window.size() == 0);
  CHECK(window.values().empty());
  for (int i = 1; i <= 3; ++i) window.push(i);
  CHECK(whole(window.values()) == std::vector<double>{1, 2, 3});
  CHECK(window.oldest() == 1);
  CHECK_FALSE(window.full());
  for (int i = 4; i <= 11; ++i) {
    window.push(i);
    CHECK(window.full());
    CHECK(window.oldest() == i - 3);
    CHECK(whole(window.last(3)) == std::vector<double>{i - 2.0, i - 1.0, i + 0.0});
  }
  window.clear();
  CHECK(window.size() == 0);
}

TEST_CASE("an outline keeps means of pieces of equal length, however long the series is") {
  Outline outline;
  for (int i = 0; i < 127; ++i) outline.push(i);
  CHECK(outline.piece() == 1);
  CHECK(outline.means().size() == 127);
  outline.push(127);
  CHECK(outline.piece() == 2);
  CHECK(outline.means().size() == 64);
  CHECK(outline.means()[0] == 0.5);
  CHECK(outline.means()[63] == 126.5);
  for (int i = 128; i < 100'000; ++i) outline.push(i);
  const auto means = outline.means();
  REQUIRE(means.size() >= 64);
  REQUIRE(means.size() < 128);
  for (std::size_t i = 0; i < means.size(); ++i) {
    const auto piece = static_cast<double>(outline.piece());
    CHECK(means[i] == static_cast<double>(i) * piece + (piece - 1) / 2);
  }
}

TEST_CASE("initial losses are those of the first ten steps") {
  InitialLoss initial;
  CHECK(initial.mean() == 0);
  CHECK(initial.spread() == 0);
  initial.add(-4);
  CHECK(initial.mean() == -4);
  CHECK(initial.magnitude() == 4);
  CHECK_FALSE(initial.known());
  for (int i = 0; i < 9; ++i) initial.add(i % 2 == 0 ? 4 : -4);
  CHECK(initial.known());
  CHECK(initial.mean() == 0);
  CHECK(initial.magnitude() == 4);
  CHECK(initial.opening() == 4);  // the median of -4 4 -4 is -4
  CHECK(initial.spread() == doctest::Approx(std::sqrt(160 / 9.0)));
  initial.add(1e9);
  CHECK(initial.magnitude() == 4);
}

TEST_CASE("windows, outlines and initial losses continue from their state") {
  Window window(7), other_window(7);
  Outline outline, other_outline;
  InitialLoss initial, other_initial;
  for (int i = 0; i < 1001; ++i) {
    window.push(0.1 * i);
    outline.push(0.1 * i);
    if (i < 5) initial.add(0.1 * i);
  }
  StateVisitor writer;
  window.visit_state(writer);
  outline.visit_state(writer);
  initial.visit_state(writer);
  StateVisitor reader(writer.written());
  other_window.visit_state(reader);
  other_outline.visit_state(reader);
  other_initial.visit_state(reader);
  CHECK(reader.done());
  for (int i = 0; i < 300; ++i) {
    window.push(i);
    other_window.push(i);
    outline.push(i);
    other_outline.push(i);
    initial.add(i);
    other_initial.add(i);
  }
  CHECK(whole(other_window.values()) == whole(window.values()));
  CHECK(whole(other_outline.means()) == whole(outline.means()));
  CHECK(other_initial.mean() == initial.mean());
  CHECK(other_initial.spread() == initial.spread());
}

TEST_CASE("a state that no object can have written is refused") {
  const auto refused = [](std::vector<double> state, auto&& read) {
    StateVisitor reader(state);
    read(reader);
    return !reader.done();
  };
  std::int64_t whole = 0;
  double real = 0;
  bool flag = false;
  CHECK(refused({1.5}, [&](StateVisitor& r) { r.count(whole); }));
  CHECK(refused({-1}, [&](StateVisitor& r) { r.count(whole); }));
  CHECK(refused({4}, [&](StateVisitor& r) { r.count(whole, 3); }));
  CHECK(refused({2}, [&](StateVisitor& r) { r.flag(flag); }));
  CHECK(refused({nan_value}, [&](StateVisitor& r) { r.number(real); }));
  CHECK(refused({}, [&](StateVisitor& r) { r.number(real); }));
  CHECK(refused({1, 2}, [&](StateVisitor& r) { r.number(real); }));
  CHECK(refused({8, 1, 2, 3, 4, 5, 6, 7, 8}, [](StateVisitor& r) { Window(7).visit_state(r); }));
  CHECK(refused({1e300}, [](StateVisitor& r) { Window(7).visit_state(r); }));
  CHECK(refused({11}, [](StateVisitor& r) { InitialLoss().visit_state(r); }));
  CHECK(refused({2, 2, 0, 0}, [](StateVisitor& r) { Outline().visit_state(r); }));
  CHECK(refused({0, 0, 0, 0}, [](StateVisitor& r) { Outline().visit_state(r); }));
  CHECK_FALSE(refused({2, 1, 0.5, 0}, [](StateVisitor& r) { Outline().visit_state(r); }));
}
