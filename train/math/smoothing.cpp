#include <handrail/train/math/smoothing.h>

#include <numeric>

namespace handrail::train {

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

}  // namespace handrail::train
