#include <handrail/train/guards/early_stopping.h>

#include <utility>

#include <handrail/core/system/finite.h>
#include <handrail/train/math/robust.h>

namespace handrail::train {

bool improved_significantly(std::span<const double> reference, std::span<const double> now) {
  const auto [mean, error] = paired_moments(reference, now);
  constexpr std::size_t min_groups = 30;
  return mean > (now.size() < min_groups ? 0 : 1.645 * error) && mean > 0;
}

bool worsened(std::span<const double> reference, std::span<const double> now, double errors) {
  const auto [mean, error] = paired_moments(now, reference);
  return !(mean < errors * error);
}

bool EarlyStopping::better(const Score& score, const Score& than) const {
  if (score.value == than.value) return score.loss < than.loss;
  return mode_ == MonitorMode::min ? score.value < than.value : score.value > than.value;
}

bool EarlyStopping::add(double value, std::span<const double> group_losses, double loss) {
  if (!is_finite(value)) {
    ++waited_;
    return false;
  }
  const Score score{.value = value, .loss = loss};
  const bool tested = improvement_ == Improvement::significant && reference_ && !group_losses.empty() &&
                      group_losses.size() == reference_groups_.size();
  bool improved = !reference_ || better(score, *reference_);
  if (tested && !rate_falls_) improved = improved && improved_significantly(reference_groups_, group_losses);
  const auto is_within = [&](double errors) {
    return tested && rate_falls_ && !worsened(reference_groups_, group_losses, errors);
  };
  constexpr double as_good = 0.5, not_worse = 1;
  const bool is_as_good = is_within(as_good);
  waited_ = improved || is_within(not_worse) ? 0 : waited_ + 1;
  if (improved) {
    reference_ = score;
    reference_groups_.assign(group_losses.begin(), group_losses.end());
  }
  if (best_ && !better(score, *best_)) return is_as_good;
  best_ = score;
  return true;
}

void EarlyStopping::visit_state(StateVisitor& state) {
  state.count(waited_);
  const bool has_best = state.is_reading() ? !state.at_end() : best_.has_value();
  if (!has_best) {
    best_ = reference_ = std::nullopt;
    reference_groups_.clear();
    return;
  }
  Score best = best_.value_or(Score{}), reference = reference_.value_or(Score{});
  state.number(best.value);
  state.number(reference.value);
  // Losses may be infinite or NaN, which number() refuses.
  std::vector<double> losses{best.loss, reference.loss};
  losses.insert(losses.end(), reference_groups_.begin(), reference_groups_.end());
  state.rest(losses);
  if (losses.size() < 2) return state.refuse();
  best.loss = losses[0];
  reference.loss = losses[1];
  reference_groups_.assign(losses.begin() + 2, losses.end());
  best_ = best;
  reference_ = reference;
}

}  // namespace handrail::train
