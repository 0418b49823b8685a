#include <handrail/train/math/initial_loss.h>

#include <cmath>

#include <handrail/train/math/robust.h>

namespace handrail::train {

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

void InitialLoss::visit_state(StateVisitor& state) {
  std::size_t count = count_;
  auto losses = losses_;
  state.count(count, wanted);
  state.numbers(std::span(losses).first(count));
  if (!state.is_reading()) return;
  *this = {};
  for (std::size_t i = 0; i < count; ++i) note(losses[i]);
}

}  // namespace handrail::train
