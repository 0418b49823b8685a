#include <handrail/train/math/correlation.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include <Eigen/Core>

namespace handrail::train {
namespace {

std::vector<double> ranks(std::span<const double> values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, {}, [&](std::size_t i) { return values[i]; });
  std::vector<double> result(values.size());
  for (std::size_t begin = 0, end = 0; begin < order.size(); begin = end) {
    while (end < order.size() && values[order[end]] == values[order[begin]]) ++end;
    for (std::size_t k = begin; k < end; ++k) result[order[k]] = static_cast<double>(begin + end - 1) / 2;
  }
  return result;
}

}  // namespace

double correlation(std::span<const double> x, std::span<const double> y) {
  if (x.empty()) return 0;
  using Values = Eigen::Map<const Eigen::ArrayXd>;
  const Values a(x.data(), std::ssize(x)), b(y.data(), std::ssize(y));
  const double a_mean = a.mean(), b_mean = b.mean();
  const double aa = (a - a_mean).square().sum(), bb = (b - b_mean).square().sum();
  const double ab = ((a - a_mean) * (b - b_mean)).sum();
  return aa > 0 && bb > 0 ? std::clamp(ab / std::sqrt(aa * bb), -1.0, 1.0) : 0;
}

double rank_correlation(std::span<const double> x, std::span<const double> y) {
  return correlation(ranks(x), ranks(y));
}

}  // namespace handrail::train
