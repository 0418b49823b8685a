#include <handrail/train/guards/clip_guard.h>

#include <algorithm>
#include <array>
#include <string>

#include <handrail/core/error.h>
#include <handrail/core/system/finite.h>
#include <handrail/nn/internal/quantile.h>
#include <handrail/train/files/text.h>

namespace handrail::train {
namespace {

constexpr std::int64_t path_interval = 10;  // steps between two sums over all norms

std::string in_percent(double share) { return short_form(100 * share) + " %"; }

}  // namespace

std::optional<Anomaly> ClipPressureGuard::accepted(const StepStats& stats) {
  if (!is_finite(stats.grad_norm)) [[unlikely]]
    return std::nullopt;
  if (clipped_.full()) count_ -= clipped_.oldest() > 0;
  count_ += stats.clipped;
  clipped_.push(stats.clipped ? 1 : 0);
  norms_.push(stats.grad_norm);
  if (count_ < capacity / 4) reported_ = false;
  if (count_ <= capacity / 2 || reported_ || !clipped_.full() ||
      stats.step <= warmup_steps_ + static_cast<std::int64_t>(capacity)) [[likely]]
    return std::nullopt;
  if (rule_ == ClipRule::path && (stats.step % path_interval != 0 || length_left() >= 0.5)) return std::nullopt;
  reported_ = true;
  return found(stats);
}

// The share of the lengths of the gradients in the window that clipping leaves.
double ClipPressureGuard::length_left() const {
  double left = 0, whole = 0;
  for (const double norm : norms_.values()) {
    left += std::min(norm, clip_norm_);
    whole += norm;
  }
  return left / whole;
}

Anomaly ClipPressureGuard::found(const StepStats& stats) const {
  std::array<double, capacity> norms;
  std::ranges::copy(norms_.values(), norms.begin());
  const double usual = nn::quantile(norms, 0.9), left = length_left();
  Anomaly anomaly{.name = "clip_pressure",
                  .step = stats.step,
                  .evidence = concat(count_, " of the last ", capacity, " gradients were clipped"),
                  .cause = "a clip_norm that is too low for this model, or a learning rate that is too high",
                  .remedy = concat("set clip_norm = ", short_form(usual), ", or lr below ", short_form(stats.lr)),
                  .action = Action::proceed,
                  .details = concat("90 % of their norms are below ", short_form(usual), "; ", in_percent(left),
                                    " of their length is left"),
                  .rank = Rank::symptom};
  if (rule_ == ClipRule::path) {
    constexpr double min_left = 0.01;
    if (left >= min_left) anomaly.severity = Severity::note;
    anomaly.evidence += concat(", to ", in_percent(left), " of their length");
    anomaly.cause = concat("a clip_norm that is too low for this model: lr ", short_form(stats.lr), " acts like ",
                           short_form(left * stats.lr));
  }
  return anomaly;
}

void ClipPressureGuard::rolled_back() {
  norms_.clear();
  clipped_.clear();
  count_ = 0;
}

void ClipPressureGuard::visit_state(StateVisitor& state) {
  state.flag(reported_);
  norms_.visit_state(state);
  clipped_.visit_state(state);
  if (norms_.size() != clipped_.size()) state.refuse();
  count_ = static_cast<std::size_t>(std::ranges::count_if(clipped_.values(), [](double value) { return value > 0; }));
}

}  // namespace handrail::train
