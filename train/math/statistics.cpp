#include <handrail/train/math/statistics.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include <handrail/core/system/finite.h>

namespace handrail::train {

double StateReader::number() {
  if (!ok_ || rest_.empty() || !is_finite(rest_.front())) {
    ok_ = false;
    return 0;
  }
  const double value = rest_.front();
  rest_ = rest_.subspan(1);
  return value;
}

std::int64_t StateReader::count(std::int64_t most) {
  const double value = number();
  if (value < 0 || value > static_cast<double>(most) || value != std::floor(value)) ok_ = false;
  return ok_ ? static_cast<std::int64_t>(value) : 0;
}

void StateReader::numbers(std::span<double> places) {
  for (double& place : places) place = number();
}

bool Ema::load_state(std::span<const double> state) {
  StateReader reader(state);
  Ema next(beta_);
  next.load(reader);
  if (!reader.done()) return false;
  *this = next;
  return true;
}

void Ema::load(StateReader& reader) {
  value_ = reader.number();
  power_ = reader.number();
  if (power_ < 0 || power_ > 1) reader.refuse();
}

void Window::save(std::vector<double>& state) const {
  state.push_back(static_cast<double>(size_));
  const auto all = values();
  state.insert(state.end(), all.begin(), all.end());
}

void Window::load(StateReader& reader) {
  clear();
  for (auto left = reader.count(static_cast<std::int64_t>(capacity_)); left > 0; --left) push(reader.number());
}

void Outline::close() {
  means_[count_++] = sum_ / static_cast<double>(piece_);
  sum_ = 0;
  inside_ = 0;
  if (count_ < means_.size()) return;
  count_ /= 2;
  piece_ *= 2;
  for (std::size_t i = 0; i < count_; ++i) means_[i] = std::midpoint(means_[2 * i], means_[2 * i + 1]);
}

void Outline::save(std::vector<double>& state) const {
  state.insert(state.end(),
               {static_cast<double>(piece_), static_cast<double>(inside_), sum_, static_cast<double>(count_)});
  state.insert(state.end(), means_.begin(), means_.begin() + static_cast<std::ptrdiff_t>(count_));
}

void Outline::load(StateReader& reader) {
  clear();
  piece_ = reader.count();
  inside_ = reader.count();
  if (inside_ >= piece_) reader.refuse();
  sum_ = reader.number();
  count_ = static_cast<std::size_t>(reader.count(std::ssize(means_) - 1));
  reader.numbers(std::span(means_).first(count_));
}

void InitialLoss::note(double loss) {
  losses_[count_++] = loss;
  const std::span<const double> seen(losses_.data(), count_);
  const auto n = static_cast<double>(count_);
  double sum = 0, absolute = 0, squares = 0;
  for (const double x : seen) {
    sum += x;
    absolute += std::abs(x);
  }
  mean_ = sum / n;
  magnitude_ = absolute / n;
  if (count_ == 3) {
    auto first = losses_;
    opening_ = std::abs(median(std::span(first).first(3)));
  }
  for (const double x : seen) squares += (x - mean_) * (x - mean_);
  spread_ = count_ > 1 ? std::sqrt(squares / (n - 1)) : 0;
}

void InitialLoss::save(std::vector<double>& state) const {
  state.push_back(static_cast<double>(count_));
  state.insert(state.end(), losses_.begin(), losses_.begin() + static_cast<std::ptrdiff_t>(count_));
}

void InitialLoss::load(StateReader& reader) {
  *this = {};
  for (auto left = reader.count(wanted); left > 0; --left) note(reader.number());
}

Moments moments(std::span<const double> values) {
  const auto n = static_cast<double>(values.size());
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / n;
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  return {mean, std::sqrt(squares / std::max(1.0, n - 1) / n)};
}

double median(std::span<double> values) {
  const auto middle = values.begin() + std::ssize(values) / 2;
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return std::midpoint(*std::max_element(values.begin(), middle), *middle);
}

RobustScale robust_scale(std::span<double> values) {
  const double middle = median(values);
  for (double& value : values) value = std::abs(value - middle);
  return {middle, 1.4826 * median(values)};
}

double quantile(std::span<double> values, double share) {
  const auto last = static_cast<double>(values.size() - 1);
  const auto place = values.begin() + static_cast<std::ptrdiff_t>(std::floor(std::clamp(share, 0.0, 1.0) * last));
  std::nth_element(values.begin(), place, values.end());
  return *place;
}

namespace {

// The sum of f(0), ..., f(n - 1) in a fixed order, in four lanes so that no addition waits for the one before.
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
  const double spread = (count * count * count - count) / 12;  // of the positions, squared and summed
  fit.slope = sum_over(n, [&](std::size_t i) { return position(i) * y[i]; }) / spread;

  const double mean = fit.mean, slope = fit.slope;
  const auto residual = [&](std::size_t i) { return y[i] - mean - slope * position(i); };
  const double squares = sum_over(n, [&](std::size_t i) { return residual(i) * residual(i); });
  const double neighbours = sum_over(n - 1, [&](std::size_t i) { return residual(i) * residual(i + 1); });
  const double rounding = 1e-13 * mean;  // is correlated, but no noise
  if (squares > count * rounding * rounding) fit.correlation = std::clamp(neighbours / squares, 0.0, 0.95);
  const double inflation = (1 + fit.correlation) / (1 - fit.correlation);
  fit.slope_error = std::sqrt(squares / (count - 2) / spread * inflation);
  fit.effective_count = count / inflation;
  return fit;
}

}  // namespace handrail::train
