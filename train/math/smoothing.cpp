#include <handrail/train/math/smoothing.h>

#include <numeric>

namespace handrail::train {

void Outline::close() {
  means_[count_++] = sum_ / static_cast<double>(piece_);
  sum_ = 0;
  inside_ = 0;
  if (count_ < means_.size()) return;
  count_ /= 2;
  piece_ *= 2;
  for (std::size_t i = 0; i < count_; ++i) means_[i] = std::midpoint(means_[2 * i], means_[2 * i + 1]);
}

void Ema::visit_state(StateVisitor& state) {
  state.number(value_);
  state.number(power_);
  if (power_ < 0 || power_ > 1) state.refuse();
}

void Window::visit_state(StateVisitor& state) {
  std::size_t count = size_;
  state.count(count, static_cast<std::int64_t>(capacity_));
  if (state.is_reading()) clear();
  for (std::size_t i = 0; i < count; ++i) {
    double value = state.is_reading() ? 0 : values()[i];
    state.number(value);
    if (state.is_reading()) push(value);
  }
}

void Outline::visit_state(StateVisitor& state) {
  state.count(piece_);
  state.count(inside_);
  if (inside_ >= piece_) state.refuse();
  state.number(sum_);
  state.count(count_, std::ssize(means_) - 1);
  state.numbers(std::span(means_).first(count_));
}

}  // namespace handrail::train
