#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <numbers>
#include <string>
#include <vector>

#include <handrail/core/ops/internal/gemm.h>
#include <handrail/core/random.h>
#include <handrail/core/system/internal/kernels.h>

#include "support/tensors.h"

using namespace handrail;

// Which set is under test HANDRAIL_ISA says; CTest runs all of these with each.

namespace {

constexpr Scalar not_a_number = std::numeric_limits<Scalar>::quiet_NaN(),
                 infinity = std::numeric_limits<Scalar>::infinity();

// Around whole vectors of every set, and none at all.
constexpr std::array<Index, 10> sizes{0, 1, 3, 7, 15, 16, 17, 31, 64, 1000};

std::vector<Scalar> random_values(Index size, std::uint64_t seed) {
  Rng rng(seed);
  std::vector<Scalar> values(static_cast<std::size_t>(size));
  for (Scalar& value : values) value = static_cast<Scalar>(rng.uniform(-2, 2));
  return values;
}

void check_close(double got, double want, double ulps) {
  CHECK(std::abs(got - want) <=
        ulps * static_cast<double>(std::numeric_limits<Scalar>::epsilon()) * (1 + std::abs(want)));
}

// The error in units of the last place of `scale`, which is the value when nothing else is said. Below the smallest
// normal number all numbers have its last place.
double ulps(Scalar got, long double want, long double scale) {
  using Limits = std::numeric_limits<Scalar>;
  if (std::isnan(want)) return std::isnan(got) ? 0 : 1e9;
  if (!std::isfinite(got) || !std::isfinite(static_cast<Scalar>(want)))
    return got == static_cast<Scalar>(want) ? 0 : 1e9;
  int exponent = 0;
  std::frexp(std::max(std::abs(scale), static_cast<long double>(Limits::min())), &exponent);
  return static_cast<double>(std::abs(static_cast<long double>(got) - want) /
                             std::ldexp(1.0L, exponent - Limits::digits));
}

// Small steps where the functions bend, large ones to where they end, every magnitude, and what is no number.
std::vector<Scalar> sweep() {
  std::vector<Scalar> x{0, not_a_number, infinity, -infinity};
  const double ends = sizeof(Scalar) == 4 ? 110 : 760;
  for (double v = -6; v <= 6; v += 1.7e-4) x.push_back(static_cast<Scalar>(v));
  for (double v = -ends; v <= ends; v += ends * 1.3e-5) x.push_back(static_cast<Scalar>(v));
  for (Scalar v = std::numeric_limits<Scalar>::min(); v < infinity; v *= Scalar(1.01)) {
    x.push_back(v);
    x.push_back(-v);
  }
  return x;
}

}  // namespace

TEST_CASE("HANDRAIL_ISA chooses among the sets of this processor, and the description says which") {
  const char* variable = std::getenv("HANDRAIL_ISA");
  const std::string wanted = variable ? variable : "", description = gemm_description();
  CAPTURE(wanted);
  CAPTURE(description);
  CHECK(description.starts_with(kernels_here().instructions));
#if defined(__x86_64__)
  const bool has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool has_avx512 = has_avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                          __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw");
  if (wanted == "portable" || !has_avx2)
    CHECK(description.starts_with("portable, "));
  else if (wanted == "avx2" || !has_avx512)
    CHECK(description.starts_with("AVX2 with FMA, "));
  else
    CHECK(description.starts_with("AVX-512 with FMA, "));
#endif
}

TEST_CASE("magnitudes: the largest, infinity above all numbers, NaN above infinity") {
  const auto largest = [](const std::vector<Scalar>& values) {
    return kernels_here().largest_magnitude(values.data(), std::ssize(values));
  };
  for (const Index size : sizes)
    for (Index at = 0; at < size; at += 5) {
      std::vector<Scalar> values = random_values(size, 1);
      const auto i = static_cast<std::size_t>(at);
      values[i] = -3;
      CHECK(largest(values) == 3);
      values[i] = -infinity;
      CHECK(largest(values) == static_cast<double>(infinity));
      values[0] = infinity;
      values[i] = -not_a_number;
      CHECK(std::isnan(largest(values)));
    }
  CHECK(largest({}) == 0);
}

TEST_CASE("sums of squares are in double") {
  for (const Index size : sizes) {
    const std::vector<Scalar> values = random_values(size, 2);
    double sum = 0;
    for (const Scalar value : values) sum += static_cast<double>(value) * static_cast<double>(value);
    CHECK(kernels_here().sum_of_squares(values.data(), size) == doctest::Approx(sum).epsilon(1e-14));
  }
}

TEST_CASE("relu keeps a NaN, and its gradient is taken where the output is above zero") {
  for (const Index size : sizes) {
    std::vector<Scalar> x = random_values(size, 3), y(x.size()), to(x.size(), 5);
    const std::vector<Scalar> gy = random_values(size, 4);
    if (size > 2) {
      x[0] = not_a_number;
      x[1] = -infinity;
      x[2] = 0;
    }
    kernels_here().relu.forward(x.data(), size, y.data());
    for (const bool accumulate : {true, false}) {
      std::ranges::fill(to, Scalar(5));
      kernels_here().relu.backward(y.data(), gy.data(), size, to.data(), accumulate);
      for (std::size_t i = 0; i < x.size(); ++i) {
        if (std::isnan(x[i]))
          CHECK(std::isnan(y[i]));
        else
          CHECK(y[i] == std::max(x[i], Scalar(0)));
        CHECK(to[i] == (accumulate ? Scalar(5) : Scalar(0)) + (x[i] > 0 ? gy[i] : Scalar(0)));
      }
    }
  }
}

TEST_CASE("columns are summed in the order of the rows") {
  constexpr Index rows = 5;
  for (const Index cols : sizes) {
    const std::vector<Scalar> from = random_values(rows * cols, 5);
    std::vector<Scalar> want = random_values(cols, 6), got = want;
    for (std::size_t i = 0; i < from.size(); ++i) want[i % want.size()] += from[i];
    kernels_here().add_column_sums(from.data(), rows, cols, got.data());
    CHECK(got == want);
  }
}

TEST_CASE("rows of exponentials, their sums and the gradient of cross entropy") {
  constexpr Index rows = 6;
  for (const Index cols : sizes) {
    if (cols == 0) continue;
    const std::vector<Scalar> x = random_values(rows * cols, 7);
    std::vector<Scalar> p(x.size()), sums(rows), maxima(rows), classes(rows, static_cast<Scalar>(cols / 2));
    kernels_here().exp_rows(x.data(), rows, cols, p.data(), sums.data(), maxima.data());
    std::vector<Scalar> over(x.size()), added(x.size(), 1);
    kernels_here().cross_entropy_backward(p.data(), sums.data(), classes.data(), 2, rows, cols, over.data(), false);
    kernels_here().cross_entropy_backward(p.data(), sums.data(), classes.data(), 2, rows, cols, added.data(), true);
    for (Index i = 0; i < rows; ++i) {
      const Scalar* row = x.data() + i * cols;
      const Scalar top = *std::max_element(row, row + cols);
      CHECK(maxima[static_cast<std::size_t>(i)] == top);
      double sum = 0;
      for (Index j = 0; j < cols; ++j) sum += std::exp(static_cast<double>(row[j] - top));
      check_close(static_cast<double>(sums[static_cast<std::size_t>(i)]) / sum, 1, 20);
      for (Index j = 0; j < cols; ++j) {
        const auto at = static_cast<std::size_t>(i * cols + j);
        const double e = std::exp(static_cast<double>(row[j] - top)), g = 2 * (e / sum - (j == cols / 2));
        check_close(static_cast<double>(p[at]), e, 2);
        check_close(static_cast<double>(over[at]), g, 20);
        check_close(static_cast<double>(added[at]), 1 + g, 20);
      }
    }
  }
}

TEST_CASE("a mask is that of the random blocks, and what is left is scaled") {
  const StreamKey key{.seed = 0x123456789ABCDEF, .stream = Stream::dropout, .position = 0xFEDCBA987654321, .call = 5};
  const PhiloxPoint point = philox_point(key);
  constexpr std::uint32_t threshold = 0x40000000;
  for (const Index first : {0, 4, 1024})
    for (const Index size : sizes) {
      const std::vector<Scalar> x = random_values(size, 12);
      std::vector<Scalar> mask(x.size()), y(x.size());
      kernels_here().dropout(point.counter.data(), point.key.data(), first, size, threshold, 2, x.data(), mask.data(),
                             y.data());
      for (Index i = 0; i < size; ++i) {
        const auto block = random_block(key, static_cast<std::uint32_t>((first + i) / 4));
        const auto at = static_cast<std::size_t>(i);
        CHECK(mask[at] == (block[at % 4] >= threshold ? Scalar(2) : Scalar(0)));
        CHECK(y[at] == x[at] * mask[at]);
      }
    }
}

TEST_CASE("updates are the formulas, and return the largest magnitude they wrote") {
  const kernels::AdamStep adam{.beta1 = Scalar(0.9),
                               .beta2 = Scalar(0.99),
                               .gain1 = Scalar(0.1),
                               .gain2 = Scalar(0.01),
                               .scale = Scalar(0.5),
                               .penalty = Scalar(0.25),
                               .rate = Scalar(0.125),
                               .correction = 3,
                               .eps = Scalar(1e-3),
                               .keep = Scalar(0.75)};
  const kernels::SgdStep sgd{.scale = Scalar(0.5),
                             .penalty = Scalar(0.25),
                             .rate = Scalar(0.125),
                             .momentum = Scalar(0.9),
                             .direct = 1,
                             .ahead = Scalar(0.9)};
  const auto d = [](Scalar x) { return static_cast<double>(x); };
  for (const Index size : sizes) {
    const std::vector<Scalar> g = random_values(size, 8), w = random_values(size, 9), m = random_values(size, 10);
    std::vector<Scalar> v = random_values(size, 11);
    for (Scalar& value : v) value = std::abs(value);
    std::vector<Scalar> w1 = w, m1 = m, v1 = v, w2 = w, w3 = w, u3 = m;
    const double largest = kernels_here().adam(adam, g.data(), size, w1.data(), m1.data(), v1.data());
    const double largest2 = kernels_here().sgd(sgd, g.data(), size, w2.data());
    const double largest3 = kernels_here().sgd_momentum(sgd, g.data(), size, w3.data(), u3.data());
    double want = 0, want2 = 0, want3 = 0;
    for (std::size_t i = 0; i < g.size(); ++i) {
      const double grad = 0.5 * d(g[i]) + 0.25 * d(w[i]);
      const double first = d(adam.beta1) * d(m[i]) + d(adam.gain1) * grad;
      const double second = d(adam.beta2) * d(v[i]) + d(adam.gain2) * grad * grad;
      check_close(d(m1[i]), first, 4);
      check_close(d(v1[i]), second, 4);
      check_close(d(w1[i]), 0.75 * d(w[i]) - 0.125 * first / (std::sqrt(second) * 3 + d(adam.eps)), 20);
      check_close(d(w2[i]), d(w[i]) - 0.125 * grad, 4);
      const double moment = d(sgd.momentum) * d(m[i]) + grad;
      check_close(d(u3[i]), moment, 4);
      check_close(d(w3[i]), d(w[i]) - 0.125 * (grad + d(sgd.momentum) * moment), 4);
      want = std::max({want, std::abs(d(w1[i])), std::abs(d(m1[i])), std::abs(d(v1[i]))});
      want2 = std::max(want2, std::abs(d(w2[i])));
      want3 = std::max({want3, std::abs(d(w3[i])), std::abs(d(u3[i]))});
    }
    CHECK(largest == want);
    CHECK(largest2 == want2);
    CHECK(largest3 == want3);
  }
}

TEST_CASE("exp, log, tanh, sigmoid, softplus and gelu are within some units of the last place everywhere") {
  using Real = long double;
  const std::vector<Scalar> x = sweep();
  const auto size = std::ssize(x);
  std::vector<Scalar> y(x.size());
  const auto check = [&](const std::string& name, double bound, auto want, auto scale) {
    double worst = 0;
    Scalar at = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const Real exact = want(static_cast<Real>(x[i]));
      const double error = ulps(y[i], exact, scale(static_cast<Real>(x[i]), exact));
      if (error > worst) {
        worst = error;
        at = x[i];
      }
    }
    CHECK_MESSAGE(worst <= bound, name, " is ", worst, " ulp off at ", at);
  };
  const auto value = [](Real, Real exact) { return exact; };
  kernels_here().exp.forward(x.data(), size, y.data());
  check(
      "exp", 2, [](Real v) { return std::exp(v); }, value);
  kernels_here().log.forward(x.data(), size, y.data());
  check(
      "log", 3, [](Real v) { return std::log(v); }, value);
  kernels_here().softplus.forward(x.data(), size, y.data());
  check(
      "softplus", 4, [](Real v) { return v > 0 ? v + std::log1p(std::exp(-v)) : std::log1p(std::exp(v)); }, value);
  kernels_here().tanh.forward(x.data(), size, y.data());
  check(
      "tanh", 3, [](Real v) { return std::tanh(v); }, value);
  const Scalar minus_zero = Scalar(-0.0);
  Scalar of_minus_zero = 1;
  kernels_here().tanh.forward(&minus_zero, 1, &of_minus_zero);
  CHECK(std::signbit(of_minus_zero));
  kernels_here().sigmoid.forward(x.data(), size, y.data());
  check(
      "sigmoid", 3, [](Real v) { return 1 / (1 + std::exp(-v)); }, value);
  const auto below = [](Real v) { return std::erfc(-v / std::sqrt(Real(2))) / 2; };
  const auto density = [](Real v) { return std::exp(-v * v / 2) / std::sqrt(2 * std::numbers::pi_v<Real>); };
  kernels_here().gelu.forward(x.data(), size, y.data());
  check(
      "gelu", 4, [&](Real v) { return v * below(v); },
      [](Real v, Real exact) { return v < -1 && std::isfinite(v) ? v : exact; });
  const std::vector<Scalar> ones(x.size(), 1);
  kernels_here().gelu.backward(x.data(), ones.data(), size, y.data(), false);
  check(
      "the slope of gelu", 2, [&](Real v) { return below(v) + v * density(v); }, [](Real, Real) { return Real(1); });
  std::vector<Scalar> added(x.size(), 1);
  kernels_here().gelu.backward(x.data(), ones.data(), size, added.data(), true);
  for (std::size_t i = 0; i < x.size(); ++i)
    CHECK((std::isnan(y[i]) ? std::isnan(added[i]) : std::abs(added[i] - (y[i] + 1)) <= Scalar(1e-6)));
}
