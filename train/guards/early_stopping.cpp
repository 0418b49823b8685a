#include <handrail/train/guards/early_stopping.h>

#include <algorithm>
#include <functional>
#include <utility>

#include <handrail/core/system/finite.h>
#include <handrail/train/math/robust.h>
#include <handrail/train/math/state_reader.h>

namespace handrail::train {

bool improved_significantly(std::span<const double> reference, std::span<const double> now) {
  std::vector<double> gains(now.size());
  std::ranges::transform(reference, now, gains.begin(), std::minus());
  const auto [mean, error] = moments(gains);
  constexpr std::size_t enough = 30;
  return mean > (now.size() < enough ? 0 : 1.645 * error) && mean > 0;
}

bool EarlyStopping::add(double value, std::span<const double> group_losses) {
  if (!is_finite(value)) {
    ++waited_;
    return false;
  }
  bool significant = !reference_ || better(value, *reference_);
  if (significant && reference_ && improvement_ == Improvement::significant && !group_losses.empty() &&
      group_losses.size() == reference_groups_.size())
    significant = improved_significantly(reference_groups_, group_losses);
  if (significant) {
    waited_ = 0;
    reference_ = value;
    reference_groups_.assign(group_losses.begin(), group_losses.end());
  } else {
    ++waited_;
  }
  if (best_ && !better(value, *best_)) return false;
  best_ = value;
  return true;
}

std::vector<double> EarlyStopping::state() const {
  std::vector<double> state{static_cast<double>(waited_)};
  if (!best_) return state;
  state.insert(state.end(), {*best_, *reference_});
  state.insert(state.end(), reference_groups_.begin(), reference_groups_.end());
  return state;
}

bool EarlyStopping::load_state(std::span<const double> state) {
  StateReader reader(state);
  const auto waited = reader.count();
  std::optional<double> best, reference;
  std::vector<double> groups;
  if (state.size() > 1) {
    best = reader.number();
    reference = reader.number();
    // Of the losses one may be infinite.
    if (state.size() > 3) groups.assign(state.begin() + 3, state.end());
  }
  if (!reader.ok() || state.size() == 2) return false;
  waited_ = waited;
  best_ = best;
  reference_ = reference;
  reference_groups_ = std::move(groups);
  return true;
}

}  // namespace handrail::train
