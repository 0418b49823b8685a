#include <handrail/train/guards/collapse_guard.h>

#include <algorithm>
#include <string>
#include <utility>

#include <handrail/core/error.h>
#include <handrail/core/system/finite.h>
#include <handrail/train/files/text.h>
#include <handrail/train/guards/internal/divergence.h>

namespace handrail::train {

CollapseGuard::CollapseGuard(Measure measure) : measure_(std::move(measure)) {
  measure_(now_);
  initial_norm_ = now_.weight_norm;
  dead_at_first_.assign(now_.dead_units.size(), 1);
}

std::optional<Anomaly> CollapseGuard::accepted(const StepStats& stats) {
  if (!is_finite(stats.loss)) [[unlikely]]
    return std::nullopt;
  initial_.add(stats.loss);
  sum_ += stats.loss;
  if (stats.step == 1) {
    measure_(now_);
    dead_at_first_ = now_.dead_units;
  }
  constexpr std::int64_t interval = 25;  // steps
  if (++summed_ < interval) [[likely]]
    return std::nullopt;
  const double loss = sum_ / static_cast<double>(std::exchange(summed_, 0));
  sum_ = 0;
  const bool positive = initial_.mean() > 0 && initial_.mean() >= initial_.magnitude();
  return positive ? check(stats, loss) : std::nullopt;
}

std::optional<Anomaly> CollapseGuard::check(const StepStats& stats, double loss) {
  constexpr double dead = 0.9, half_dead = 0.5, max_growth = 3, no_progress = 0.8, some_progress = 0.5, rise = 1.05;
  constexpr Index min_samples = 16;
  constexpr std::int64_t patience = 2;  // checks
  good_ = true;
  const double share = loss / initial_.mean();
  const bool risen = lowest_ > 0 && loss > rise * lowest_;
  lowest_ = lowest_ > 0 ? std::min(lowest_, loss) : loss;
  if (share <= some_progress) {
    in_a_row_ = 0;
    return std::nullopt;
  }
  measure_(now_);
  double most = 0;
  for (std::size_t l = 0; l < now_.dead_units.size() && stats.samples >= min_samples; ++l)
    if (dead_at_first_[l] < half_dead) most = std::max(most, now_.dead_units[l]);
  const double growth = initial_norm_ > 0 ? now_.weight_norm / initial_norm_ : 1;
  const bool blown = growth > max_growth && share > no_progress && risen;
  good_ = most <= half_dead && !blown;
  in_a_row_ = most >= dead || blown ? in_a_row_ + 1 : 0;
  if (in_a_row_ < patience) return std::nullopt;
  in_a_row_ = 0;
  const std::string what = most >= dead ? concat(short_form(100 * most, 3), " % of a layer's units dead")
                                        : concat("weights grown ", short_form(growth, 2), " times");
  return divergence(stats, concat(what, ", loss ", short_form(loss), ", at first ", short_form(initial_.mean())),
                    "lower lr tenfold", rollbacks_);
}

void CollapseGuard::rolled_back() {
  sum_ = 0;
  summed_ = in_a_row_ = 0;
  good_ = true;
}

void CollapseGuard::visit_state(StateVisitor& state) {
  std::size_t layers = dead_at_first_.size();
  state.count(layers);
  if (layers != dead_at_first_.size()) state.refuse();
  state.numbers(dead_at_first_);
  state.number(initial_norm_);
  initial_.visit_state(state);
  state.number(sum_);
  state.number(lowest_);
  state.count(summed_, 24);
  state.count(in_a_row_, 1);
  state.count(rollbacks_, max_rollbacks);
  state.flag(good_);
}

}  // namespace handrail::train
