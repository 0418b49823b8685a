#include <handrail/train/guards/loss_guards.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include <handrail/core/error.h>
#include <handrail/core/system/finite.h>
#include <handrail/train/files/text.h>
#include <handrail/train/guards/internal/divergence.h>
#include <handrail/train/math/robust.h>

namespace handrail::train {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

struct Bounds {
  double average;   // above it, training has diverged
  double max_loss;  // what a single loss can count for in the average
};

// The opening is for a rate so high that even the first ten losses are far above the first three.
Bounds divergence_bounds(const InitialLoss& initial) {
  if (!initial.known()) return {infinity, infinity};
  const double excess = std::max(0.5 * std::abs(initial.mean()), 3 * initial.spread());
  const double bound = initial.mean() + excess;
  if (initial.mean() < initial.magnitude()) return {bound, bound + 3 * excess};
  const double average = std::min(bound, std::max(10 * initial.opening(), 1.2 * initial.mean()));
  return {average, 2 * average};
}

}  // namespace

std::optional<Anomaly> NonFiniteGuard::check_loss(const StepStats& stats) {
  if (is_finite(stats.loss)) [[likely]]
    return std::nullopt;
  return found(stats, concat("loss ", stats.loss));
}

std::optional<Anomaly> NonFiniteGuard::check_gradients(const StepStats& stats) {
  if (is_finite(stats.grad_norm)) [[likely]]
    return std::nullopt;
  return found(stats, concat("gradient norm ", stats.grad_norm, " at loss ", short_form(stats.loss)));
}

std::optional<Anomaly> NonFiniteGuard::update_refused(const StepStats& stats, const NonFiniteError& error) {
  Anomaly anomaly = found(stats, "an update that is not finite");
  anomaly.where = error.where;
  anomaly.details = error.what();
  return anomaly;
}

Anomaly NonFiniteGuard::found(const StepStats& stats, const std::string& evidence) {
  ++in_a_row_;
  Anomaly anomaly{.name = "non_finite",
                  .step = stats.step,
                  .evidence = concat(evidence, ", bad step ", in_a_row_, " in a row"),
                  .cause = "NaN or huge values in the data, or a learning rate that is too high",
                  .remedy = concat("look for NaN in the data, or set lr below ", short_form(stats.lr)),
                  .action = Action::skip,
                  .rank = Rank::blow_up};
  if (in_a_row_ == patience_) {
    anomaly.action = Action::reduce_lr;
  } else if (in_a_row_ >= 2 * patience_) {
    if (rollbacks_ < max_rollbacks) {
      ++rollbacks_;
      anomaly.action = Action::rollback;
    } else {
      anomaly.action = Action::stop;
      anomaly.evidence += concat(", after ", rollbacks_, " rollbacks");
    }
    in_a_row_ = 0;
  }
  return anomaly;
}

void NonFiniteGuard::visit_state(StateVisitor& state) {
  state.count(in_a_row_, 2 * patience_);
  state.count(rollbacks_, max_rollbacks);
}

bool TypicalLoss::is_high(double loss, const SampleLosses& samples) const {
  if (kept_.size() < capacity / 2) return false;
  const auto concentration = samples.concentration();
  if (!concentration) return false;
  const auto [mean, error] = moments(kept_.values());
  const double deviation = error * std::sqrt(static_cast<double>(kept_.size()));
  return std::log(loss) - *concentration > mean + std::max(1.5, 3.8 * deviation);
}

void TypicalLoss::measure(double loss, const SampleLosses* samples) {
  latest_.reset();
  if (!samples || !(loss > 0) || ++since_ < interval) [[likely]]
    return;
  since_ = 0;
  if (const auto concentration = samples->concentration()) latest_ = std::log(loss) - *concentration;
}

void TypicalLoss::keep(bool spiked) {
  if (latest_ && !spiked) kept_.push(*latest_);
  latest_.reset();
}

void TypicalLoss::visit_state(StateVisitor& state) {
  kept_.visit_state(state);
  state.count(since_, interval - 1);
}

bool SpikeDetector::check(double loss, const SampleLosses* samples) {
  early_ = window_.size() < min_losses;
  spiked_ = early_ ? is_explosion(loss) : may_be_far(loss) && is_far(loss, samples);
  if (rule_ == SpikeRule::robust && is_heavy_tailed()) typical_.measure(loss, samples);
  if (!spiked_) [[likely]] {
    in_a_row_ = 0;
    return false;
  }
  spikes_[in_a_row_++] = loss;
  if (in_a_row_ == rebase_after) {
    clear();
    spiked_ = true;
    for (const double level : spikes_) push(level);
  }
  return true;
}

// For the first losses, before the window is long enough: a rate that is far too high lets them explode. A loss below 1
// does not count, because the small losses of a model that is trained already have noise of any ratio.
bool SpikeDetector::is_explosion(double loss) const {
  return window_.size() > 0 && negative_ == 0 && loss > 1 && loss > 10 * mean();
}

// The first condition of the rule, from the running sums. For nearly every step nothing else is computed.
bool SpikeDetector::may_be_far(double loss) const {
  const auto n = static_cast<double>(window_.size());
  if (negative_ == 0 || rule_ == SpikeRule::documented) return loss * n > 10 * sum_;
  const double mean = shifted_ / n, variance = std::max(squares_ / n - mean * mean, 0.0);
  const double above = loss - reference_ - mean;
  return above > 0 && above * above > 9 * variance;
}

// The standard deviation of the recent losses is above a quarter of their mean. With less, the last line of the rule,
// which costs nothing, finds any large spike.
bool SpikeDetector::is_heavy_tailed() const {
  const auto n = static_cast<double>(window_.size());
  return !early_ && 16 * (squares_ * n - shifted_ * shifted_) > sum_ * sum_;
}

bool SpikeDetector::is_far(double loss, const SampleLosses* samples) const {
  if (rule_ == SpikeRule::documented) return true;
  std::array<double, capacity> buffer;
  const std::span<double> values(buffer.data(), window_.size());
  std::ranges::copy(window_.values(), values.begin());
  const double largest = *std::ranges::max_element(values);
  const auto [middle, scale] = robust_scale(values);
  const double start = initial_.magnitude();
  const double usual = middle + 6 * std::max(scale, 0.05 * std::abs(middle));
  if (loss > usual && negative_ == 0 && samples && typical_.is_high(loss, *samples)) return true;
  if (loss <= std::max(usual, middle + 0.1 * start)) return false;
  // The largest of n normal values is about 2.5 / reach standard deviations above their mean.
  const double reach = std::pow(static_cast<double>(capacity) / static_cast<double>(values.size()), 0.18);
  if (negative_ > 0) return loss - middle > 2 * reach * (largest - middle);
  const double limit = std::max(3 * largest, 2 * start);
  return loss > limit || (middle > 0 && loss > middle * std::pow(largest / middle, 1.75 * reach));
}

void SpikeDetector::accepted(double loss) {
  initial_.add(loss);
  typical_.keep(spiked_);
  if (!spiked_) push(loss);
}

void SpikeDetector::push(double loss) {
  if (window_.full()) [[likely]] {
    const double gone = window_.oldest(), shifted = gone - reference_;
    sum_ -= gone;
    shifted_ -= shifted;
    squares_ -= shifted * shifted;
    negative_ -= gone < 0;
  } else if (window_.size() == 0) {
    reference_ = loss;
  }
  window_.push(loss);
  const double shifted = loss - reference_;
  sum_ += loss;
  shifted_ += shifted;
  squares_ += shifted * shifted;
  negative_ += loss < 0;
  if (++pushes_ == capacity) sum_anew();
}

void SpikeDetector::sum_anew() {
  pushes_ = 0;
  sum_ = shifted_ = squares_ = 0;
  for (const double loss : window_.values()) sum_ += loss;
  reference_ = mean();
  for (const double loss : window_.values()) {
    const double shifted = loss - reference_;
    shifted_ += shifted;
    squares_ += shifted * shifted;
  }
}

void SpikeDetector::clear() {
  window_.clear();
  typical_.clear();
  sum_ = reference_ = shifted_ = squares_ = 0;
  negative_ = pushes_ = in_a_row_ = 0;
  spiked_ = false;
}

void SpikeDetector::visit_state(StateVisitor& state) {
  window_.visit_state(state);
  initial_.visit_state(state);
  typical_.visit_state(state);
  for (double* sum : {&sum_, &reference_, &shifted_, &squares_}) state.number(*sum);
  state.count(pushes_, capacity - 1);
  state.count(in_a_row_, rebase_after - 1);
  state.numbers(std::span(spikes_).first(in_a_row_));
  negative_ = static_cast<std::size_t>(std::ranges::count_if(window_.values(), [](double loss) { return loss < 0; }));
}

std::optional<Anomaly> LossGuard::check_loss(const StepStats& stats) {
  const SampleLosses* samples = stats.samples >= max_samples_ ? stats.sample_losses : nullptr;
  if (!is_finite(stats.loss) || !spikes_.check(weighed(stats), samples)) [[likely]]
    return std::nullopt;
  const Index in_a_row = spikes_.in_a_row();
  if (roll_back_ && in_a_row >= min_spikes)
    return divergence(stats, concat("loss ", short_form(stats.loss), ", recent mean ", short_form(spikes_.mean()),
                                    ", spike ", in_a_row, " in a row"));
  if (!warn_ || spikes_.early()) return std::nullopt;
  ++reported_;
  return spike(stats);
}

std::optional<Anomaly> LossGuard::accepted(const StepStats& stats) {
  if (!is_finite(stats.loss)) [[unlikely]]
    return std::nullopt;
  spikes_.accepted(weighed(stats));
  max_samples_ = std::max(max_samples_, stats.samples);
  const Bounds bounds = divergence_bounds(spikes_.initial());
  ema_.add(std::min(stats.loss, bounds.max_loss));
  constexpr std::int64_t min_steps = 20;
  if (++averaged_ < min_steps || stats.step <= warmup_steps_ || !roll_back_ || !(ema_.value() > bounds.average))
      [[likely]]
    return std::nullopt;
  Anomaly anomaly = divergence(
      stats, concat("average loss ", short_form(ema_.value()), ", initially ", short_form(spikes_.initial().mean())));
  ema_ = Ema();
  averaged_ = 0;
  return anomaly;
}

double LossGuard::weighed(const StepStats& stats) const {
  if (stats.samples >= max_samples_ || spikes_.empty() || spikes_.rule() == SpikeRule::documented) [[likely]]
    return stats.loss;
  const double mean = spikes_.mean();
  return mean + (stats.loss - mean) * static_cast<double>(stats.samples) / static_cast<double>(max_samples_);
}

void LossGuard::rolled_back() {
  spikes_.clear();
  ema_ = Ema();
  averaged_ = 0;
}

Anomaly LossGuard::spike(const StepStats& stats) const {
  const bool rebased = spikes_.in_a_row() == 0;
  const double mean = spikes_.mean(), ratio = stats.loss / mean;
  const bool is_small = std::abs(stats.loss) < 0.5 * spikes_.initial().magnitude();
  const std::string loss = concat("loss ", short_form(stats.loss));
  return {.name = "spike",
          .step = stats.step,
          .evidence = rebased    ? concat(loss, ", spike 10 in a row: taken as the new level")
                      : mean > 0 ? concat(loss, " is ",
                                          short_form(ratio < 10 ? std::round(10 * ratio) / 10 : std::round(ratio)),
                                          " times the recent mean of ", short_form(mean))
                                 : concat(loss, ", recent mean ", short_form(mean)),
          .cause = "an unusual batch, or a learning rate that is too high",
          .remedy = concat("keep clip_norm on; if spikes recur, set lr below ", short_form(stats.lr)),
          .action = Action::proceed,
          .rank = Rank::symptom,
          .severity = reported_ < min_spikes || is_small ? Severity::note : Severity::warning};
}

Anomaly LossGuard::divergence(const StepStats& stats, std::string evidence) {
  return train::divergence(stats, std::move(evidence), "lower lr tenfold, or warm up longer", rollbacks_);
}

void LossGuard::visit_state(StateVisitor& state) {
  ema_.visit_state(state);
  state.count(averaged_);
  state.count(rollbacks_, max_rollbacks);
  state.count(reported_);
  state.count(max_samples_);
  spikes_.visit_state(state);
}

}  // namespace handrail::train
