#include <handrail/train/math/trend.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace handrail::train {

namespace {

// The sum of f(0), ..., f(n - 1), always in the same order. Four partial sums let the processor overlap the additions.
template <class F>
double sum_over(std::size_t n, F&& f) {
  constexpr std::size_t lanes = 4;
  std::array<double, lanes> sums{};
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes)
    for (std::size_t lane = 0; lane < lanes; ++lane) sums[lane] += f(i + lane);
  for (; i < n; ++i) sums[0] += f(i);
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

}  // namespace

LineFit fit_line(std::span<const double> values) {
  const std::size_t n = values.size();
  if (n < 3) return {};
  const double* y = values.data();
  const auto count = static_cast<double>(n);
  const double centre = (count - 1) / 2;
  const auto position = [centre](std::size_t i) { return static_cast<double>(static_cast<std::int64_t>(i)) - centre; };

  LineFit fit;
  fit.mean = sum_over(n, [&](std::size_t i) { return y[i]; }) / count;
  const double spread = (count * count * count - count) / 12;  // the sum of the squared positions
  fit.slope = sum_over(n, [&](std::size_t i) { return position(i) * y[i]; }) / spread;

  const double mean = fit.mean, slope = fit.slope;
  const auto residual = [&](std::size_t i) { return y[i] - mean - slope * position(i); };
  const double squares = sum_over(n, [&](std::size_t i) { return residual(i) * residual(i); });
  const double neighbours = sum_over(n - 1, [&](std::size_t i) { return residual(i) * residual(i + 1); });
  const double rounding = 1e-13 * mean;  // residuals of this size are rounding errors, which are correlated
  if (squares > count * rounding * rounding) fit.correlation = std::clamp(neighbours / squares, 0.0, 0.95);
  const double inflation = (1 + fit.correlation) / (1 - fit.correlation);
  fit.slope_error = std::sqrt(squares / (count - 2) / spread * inflation);
  fit.effective_count = count / inflation;
  return fit;
}

}  // namespace handrail::train
