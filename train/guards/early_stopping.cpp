#include <handrail/train/guards/early_stopping.h>

#include <algorithm>
#include <functional>
#include <utility>

#include <handrail/core/system/finite.h>
#include <handrail/train/math/robust.h>

namespace handrail::train {

bool improved_significantly(std::span<const double> reference, std::span<const double> now) {
  std::vector<double> gains(now.size());
  std::ranges::transform(reference, now, gains.begin(), std::minus());
  const auto [mean, error] = moments(gains);
  constexpr std::size_t min_groups = 30;
  return mean > (now.size() < min_groups ? 0 : 1.645 * error) && mean > 0;
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

void EarlyStopping::visit_state(StateVisitor& state) {
  state.count(waited_);
  const bool has_best = state.is_reading() ? !state.at_end() : best_.has_value();
  double best = best_.value_or(0), reference = reference_.value_or(0);
  if (has_best) {
    state.number(best);
    state.number(reference);
    state.rest(reference_groups_);  // a loss may be infinite, which number() refuses
  } else {
    reference_groups_.clear();
  }
  best_ = has_best ? std::optional(best) : std::nullopt;
  reference_ = has_best ? std::optional(reference) : std::nullopt;
}

}  // namespace handrail::train
