#include <handrail/train/guards/progress_guards.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include <handrail/core/error.h>
#include <handrail/core/system/finite.h>
#include <handrail/train/files/text.h>
#include <handrail/train/math/trend.h>

namespace handrail::train {
namespace {

constexpr double confidence = 1.645;     // one-sided 95 %
constexpr double max_negligible = 0.03;  // share of the level that the loss falls in a window

// The number of epochs whose losses are compared.
std::size_t epochs_to_compare(std::int64_t steps_per_epoch, std::int64_t planned_steps) {
  const std::int64_t planned = planned_steps / std::max<std::int64_t>(steps_per_epoch, 1);
  return static_cast<std::size_t>(std::clamp<std::int64_t>(planned / 4, 6, 8));
}

// The share of their level by which these losses have fallen from the first to the last, plus t standard errors.
double fall_over(std::span<const double> losses, double t) {
  const LineFit fit = fit_line(losses);
  return static_cast<double>(losses.size()) * (t * fit.slope_error - fit.slope) / std::abs(fit.mean);
}

std::string percent(double share) { return short_form(100 * share) + " %"; }

}  // namespace

PlateauGuard::PlateauGuard(std::int64_t steps_per_epoch, std::int64_t planned_steps, PlateauRule rule)
    : rule_(rule),
      first_length_(rule == PlateauRule::documented
                        ? 200
                        : static_cast<std::size_t>(2 * std::clamp<std::int64_t>(steps_per_epoch, 100, 1000))),
      length_(first_length_),
      quiet_from_(planned_steps - planned_steps / 5),
      window_(4 * first_length_),
      epochs_(epochs_to_compare(steps_per_epoch, planned_steps)),
      validations_(epochs_to_compare(steps_per_epoch, planned_steps)),
      countdown_(first_length_) {}

std::optional<Anomaly> PlateauGuard::accepted(const StepStats& stats) {
  if (!is_finite(stats.loss)) [[unlikely]]
    return std::nullopt;
  initial_.add(stats.loss);
  window_.push(stats.loss);
  if (--countdown_ > 0) [[likely]]
    return std::nullopt;
  return rule_ == PlateauRule::documented ? check_by_means(stats.step) : check(stats.step);
}

std::optional<Anomaly> PlateauGuard::check(std::int64_t step) {
  const LineFit fit = fit_line(window_.last(length_));
  const auto n = static_cast<double>(length_);
  const double level = std::abs(fit.mean), margin = n * confidence * fit.slope_error, decrease = -n * fit.slope;
  const double negligible = std::min(0.0025 * n / 100, max_negligible) * level;
  const bool certain = fit.effective_count >= 30 || margin < negligible / 4;
  const bool epochs_fall = epochs_.full() && fall_over(epochs_.values(), 0) > max_negligible;
  const bool flat = decrease + margin < negligible && certain && !epochs_fall, improving = decrease - margin > 0;
  if (reported_ && decrease - margin > max_negligible * level) {
    reported_ = false;
    length_ = first_length_;
  } else if (!improving && (!flat || reported_)) {
    length_ = std::min(length_ + length_ / 4, 4 * first_length_);
  }
  countdown_ = std::max(length_ / 10, length_ - std::min(length_, window_.size()));
  if (!flat || reported_) return std::nullopt;
  return found(step, fit.mean, (decrease + margin) / level, concat(length_, " steps"));
}

std::optional<Anomaly> PlateauGuard::epoch_end(const EpochStats& stats) {
  if (rule_ == PlateauRule::documented || !is_finite(stats.train_loss)) return std::nullopt;
  epochs_.push(stats.train_loss);
  if (stats.validation && is_finite(stats.validation->loss)) validations_.push(stats.validation->loss);
  if (reported_ || !epochs_.full()) return std::nullopt;
  constexpr double negligible = 0.003, t = 2.132;  // Student's t, one-sided 95 %, for 6 values
  double max_fall = fall_over(epochs_.values(), t);
  if (validations_.size() > 0) {
    if (!validations_.full()) return std::nullopt;
    max_fall = std::max(max_fall, fall_over(validations_.values(), t));
  }
  if (!(max_fall < negligible)) return std::nullopt;
  return found(stats.step, stats.train_loss, max_fall, concat(epochs_.size(), " epochs"));
}

std::optional<Anomaly> PlateauGuard::check_by_means(std::int64_t step) {
  constexpr std::size_t half = 100;
  const auto mean = [](std::span<const double> losses) {
    double sum = 0;
    for (const double loss : losses) sum += loss;
    return sum / static_cast<double>(half);
  };
  const double before = mean(window_.last(2 * half).first(half)), now = mean(window_.last(half));
  const double improvement = (before - now) / before;
  countdown_ = half;
  const bool flat = improvement < 0.001;
  if (!flat || reported_) {
    reported_ = flat;
    return std::nullopt;
  }
  return found(step, now, improvement, concat(length_, " steps"));
}

// max_fall: the share of its level by which the loss may have fallen in the window.
std::optional<Anomaly> PlateauGuard::found(std::int64_t step, double level, double max_fall,
                                           const std::string& window) {
  const bool settling = quiet_from_ > 0 && step > quiet_from_;
  const bool converged = std::abs(level) < 0.01 * initial_.magnitude();
  if (settling || converged) return std::nullopt;
  reported_ = true;
  const bool has_learnt = std::abs(level) < 0.9 * initial_.magnitude();
  return Anomaly{.name = "plateau",
                 .step = step,
                 .evidence = concat("loss ", short_form(level),
                                    max_fall > 0 ? concat(" fell by at most ", percent(max_fall)) : " did not fall",
                                    " over the last ", window),
                 .cause = "the model has learnt all it can from this data, or the learning rate no longer fits",
                 .remedy = "lower lr, use a larger model, or stop here",
                 .action = Action::proceed,
                 .rank = Rank::symptom,
                 .severity = has_learnt ? Severity::note : Severity::warning};
}

void PlateauGuard::rolled_back() {
  window_.clear();
  epochs_.clear();
  validations_.clear();
  length_ = countdown_ = first_length_;
}

void PlateauGuard::visit_state(StateVisitor& state) {
  const auto max_length = static_cast<std::int64_t>(4 * first_length_);
  state.count(length_, max_length);
  state.count(countdown_, max_length);
  state.flag(reported_);
  initial_.visit_state(state);
  window_.visit_state(state);
  epochs_.visit_state(state);
  validations_.visit_state(state);
  // When the countdown ends, the window must hold all the losses that are fitted.
  if (length_ < first_length_ || countdown_ < 1 || window_.size() + countdown_ < length_) state.refuse();
}

SlowProgressGuard::SlowProgressGuard(std::int64_t warmup_steps, std::int64_t planned_steps, IsTrained is_trained)
    : warmup_steps_(warmup_steps),
      planned_steps_(planned_steps),
      first_(std::max({std::min<std::int64_t>(200, planned_steps / 5), warmup_steps + 40, std::int64_t{50}})),
      next_(first_),
      is_trained_(std::move(is_trained)) {}

std::optional<Anomaly> SlowProgressGuard::accepted(const StepStats& stats) {
  if (reported_ || !is_finite(stats.loss)) return std::nullopt;
  initial_.add(stats.loss);
  peak_lr_ = std::max(peak_lr_, stats.lr);
  if (stats.step > warmup_steps_) losses_.push(stats.loss);
  steps_without_gradient_ = lacks_gradient(stats) ? steps_without_gradient_ + 1 : 0;
  if (stats.step < next_) [[likely]]
    return std::nullopt;
  constexpr std::int64_t check_interval = 100;
  next_ = stats.step + check_interval;
  return check(stats.step);
}

std::optional<Anomaly> SlowProgressGuard::epoch_end(const EpochStats& stats) {
  constexpr std::int64_t short_run = 500, min_steps = 50;
  const bool due = planned_steps_ <= short_run && stats.step >= first_;
  if (reported_ || stats.step < min_steps || !(due || stats.step >= planned_steps_)) return std::nullopt;
  return check(stats.step);
}

bool SlowProgressGuard::lacks_gradient(const StepStats& stats) const {
  for (std::size_t l = 0; l < stats.layer_norms.size(); ++l)
    if (stats.layer_norms[l] < vanishing_norm && is_trained_(l)) [[unlikely]]
      return true;
  return false;
}

std::optional<Anomaly> SlowProgressGuard::check(std::int64_t step) {
  if (steps_without_gradient_ >= layer_patience) return std::nullopt;
  constexpr std::size_t min_pieces = 10;
  const std::span<const double> means = losses_.means();
  if (means.size() < min_pieces) return std::nullopt;
  const LineFit fit = fit_line(means);
  const double initial = initial_.mean(), scale = initial_.magnitude(), margin = confidence * fit.slope_error;
  const double level = fit.mean + fit.slope * static_cast<double>(means.size() - 1) / 2;
  const auto left = static_cast<double>(std::max<std::int64_t>(planned_steps_ - step, 0));
  const double pieces = left / static_cast<double>(losses_.piece());
  const double expected = -fit.slope * pieces, optimistic = (-fit.slope + margin) * pieces;
  const bool rises = fit.slope - margin > 0;  // that is divergence, not slow progress
  const bool uncertain = std::max(optimistic, margin * pieces) >= 0.1 * scale;
  if (rises || uncertain || std::abs(initial - level) >= 0.1 * scale || expected >= 0.01 * scale) return std::nullopt;
  reported_ = true;
  return Anomaly{.name = "slow_progress",
                 .step = step,
                 .evidence = concat("loss ", short_form(initial), " at first, ", short_form(level),
                                    " now; at this pace ", short_form(level - std::max(expected, 0.0)), " at the end"),
                 .cause = "a learning rate that is too low",
                 .remedy = concat("set lr = ", short_form(10 * peak_lr_), " instead of ", short_form(peak_lr_)),
                 .action = Action::proceed,
                 .rank = Rank::pace};
}

void SlowProgressGuard::visit_state(StateVisitor& state) {
  state.count(next_);
  state.number(peak_lr_);
  state.count(steps_without_gradient_);
  state.flag(reported_);
  initial_.visit_state(state);
  losses_.visit_state(state);
}

}  // namespace handrail::train
