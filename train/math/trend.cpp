#include <handrail/train/math/trend.h>

#include <algorithm>
#include <cmath>

#include <Eigen/Core>

namespace handrail::train {

LineFit fit_line(std::span<const double> values) {
  const std::ptrdiff_t n = std::ssize(values);
  if (n < 3) return {};
  const auto count = static_cast<double>(n);
  const Eigen::Map<const Eigen::ArrayXd> y(values.data(), n);
  // Expressions that hold their operands by value and are computed anew at each use, so that nothing is stored.
  const auto positions = Eigen::ArrayXd::LinSpaced(n, -(count - 1) / 2, (count - 1) / 2);

  LineFit fit;
  fit.mean = y.mean();
  const double spread = (count * count * count - count) / 12;  // the sum of the squared positions
  // Without the mean, so that the rounding of a constant series is no slope.
  fit.slope = (positions * (y - fit.mean)).sum() / spread;

  const auto residuals = y - fit.mean - fit.slope * positions;
  const double squares = residuals.square().sum();
  // The sum of the products of neighbours, from that of their squared differences, which has no positions.
  const double ends = residuals(0) * residuals(0) + residuals(n - 1) * residuals(n - 1);
  const double differences = (y.tail(n - 1) - y.head(n - 1) - fit.slope).square().sum();
  const double neighbours = squares - (ends + differences) / 2;
  const double rounding = 1e-13 * fit.mean;  // residuals of this size are rounding errors, which are correlated
  if (squares > count * rounding * rounding) fit.correlation = std::clamp(neighbours / squares, 0.0, 0.95);
  const double inflation = (1 + fit.correlation) / (1 - fit.correlation);
  fit.slope_error = std::sqrt(squares / (count - 2) / spread * inflation);
  fit.effective_count = count / inflation;
  return fit;
}

}  // namespace handrail::train
