#include <handrail/train/guards/evaluation_guards.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include <handrail/core/error.h>
#include <handrail/core/system/finite.h>
#include <handrail/train/files/text.h>
#include <handrail/train/math/correlation.h>

namespace handrail::train {
namespace {

double mean_of_values(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

}  // namespace

std::optional<double> MonitorGuard::value_of(const EpochStats& stats) const {
  if (monitor_ == "train_loss") return stats.train_loss;
  if (monitor_ == "val_accuracy") return stats.validation->measured_accuracy;
  const bool is_training = monitor_.starts_with("train_");
  for (const MetricValue& metric : is_training ? stats.metrics : stats.validation->metrics)
    if (monitor_ == (is_training ? "train_" : "val_") + metric.name) return metric.value;
  return std::nullopt;
}

std::optional<Anomaly> MonitorGuard::epoch_end(const EpochStats& stats) {
  if (!stats.validation) return std::nullopt;
  if (auto found = wrong_sign(stats)) return found;
  if (monitor_ == "val_loss") return std::nullopt;
  const std::optional<double> value = value_of(stats);
  if (!value || !is_finite(*value) || !is_finite(stats.validation->loss)) return std::nullopt;
  values_.push(*value);
  losses_.push(stats.validation->loss);
  accuracies_.push(stats.validation->measured_accuracy.value_or(stats.validation->loss));
  if (auto found = wrong_mode(stats.step)) return found;
  return constant(stats.step);
}

std::optional<Anomaly> MonitorGuard::wrong_sign(const EpochStats& stats) {
  constexpr std::int64_t min_epochs = 5;
  const double train = stats.train_loss, validation = stats.validation->loss;
  constexpr double max_ratio = 4;
  const bool opposite =
      validation < 0 && train > 0 && -validation > train / max_ratio && -validation < max_ratio * train;
  if (stats.epoch - 1 > opposite_epochs_ || !opposite) return std::nullopt;
  if (++opposite_epochs_ != min_epochs) return std::nullopt;
  return Anomaly{
      .name = "loss_sign",
      .step = stats.step,
      .where = "validation loss",
      .evidence = concat("it is ", short_form(validation), ", and the training loss ", short_form(train)),
      .cause =
          "a minus sign in validation_step: early stopping and the best weights take the worst "
          "evaluation for the best",
      .remedy = "return the same loss in both steps",
      .details = concat("it was below 0, and that of training above, in each of the first ", min_epochs, " epochs")};
}

std::optional<Anomaly> MonitorGuard::wrong_mode(std::int64_t step) {
  constexpr std::size_t min_epochs = 5;
  // After the lowest loss a model that overfits may well become more accurate while its loss rises.
  const auto losses = losses_.values();
  const auto n = static_cast<std::size_t>(std::ranges::min_element(losses) - losses.begin()) + 1;
  if (mode_reported_ || n < min_epochs) return std::nullopt;
  const double correlation = -sign_ * rank_correlation(values_.values().first(n), losses.first(n));
  if (correlation > -0.5 - 2 / static_cast<double>(n)) return std::nullopt;
  mode_reported_ = true;
  return Anomaly{.name = "monitor_mode",
                 .step = step,
                 .where = monitor_,
                 .evidence = concat("it gets ", sign_ > 0 ? "lower" : "higher",
                                    " while val_loss improves, and mode is ", sign_ > 0 ? "max" : "min"),
                 .cause = "the wrong mode: early stopping and the best weights take the worst evaluation for the best",
                 .remedy = concat("set .mode = MonitorMode::", sign_ > 0 ? "min" : "max"),
                 .details = concat("the rank correlation of ", monitor_, " by its mode with -val_loss is ",
                                   short_form(correlation, 2), " over ", n, " epochs")};
}

std::optional<Anomaly> MonitorGuard::constant(std::int64_t step) {
  constexpr std::size_t epochs = 8;
  if (values_.size() > 1) varied_ = varied_ || values_.last(2)[0] != values_.last(2)[1];
  if (constant_reported_ || varied_ || values_.size() < epochs) return std::nullopt;
  const auto values = values_.values(), losses = losses_.values();
  const bool perfect = sign_ > 0 && values[0] == 1;
  const auto [low, high] = std::ranges::minmax(losses);
  if (perfect || high - low <= 0.02 * std::abs(high)) return std::nullopt;
  // A model that still predicts the same classes gives every metric of classes the same value.
  const auto [least, most] = std::ranges::minmax(accuracies_.values());
  if (most - least <= std::min(0.01, 0.02 * std::abs(most))) return std::nullopt;
  constant_reported_ = true;
  return Anomaly{
      .name = "monitor_constant",
      .step = step,
      .where = monitor_,
      .evidence = concat("exactly ", short_form(values[0]), " in all ", epochs, " epochs, while val_loss changes"),
      .cause =
          "a metric that is not computed from the predictions, or predictions that are all of one class: "
          "early stopping and the best weights go by nothing",
      .remedy = "monitor val_loss, or mend the metric"};
}

void MonitorGuard::rolled_back() {
  values_.clear();
  losses_.clear();
  accuracies_.clear();
}

void MonitorGuard::visit_state(StateVisitor& state) {
  state.flag(mode_reported_);
  state.flag(constant_reported_);
  state.flag(varied_);
  state.count(opposite_epochs_);
  values_.visit_state(state);
  losses_.visit_state(state);
  accuracies_.visit_state(state);
  if (values_.size() != losses_.size() || values_.size() != accuracies_.size()) state.refuse();
}

std::optional<Anomaly> ShortRunGuard::epoch_end(const EpochStats& stats) {
  const double loss = stats.validation ? stats.validation->loss : stats.train_loss;
  if (!is_finite(loss)) return std::nullopt;
  losses_.push(loss);
  const auto losses = losses_.means();
  if (stats.epoch != epochs_ || losses.size() < 2) return std::nullopt;
  const std::size_t m = std::max<std::size_t>(1, losses.size() / 4);
  const double last = losses.back(), then = losses[losses.size() - 1 - m], fall = then - last;
  const bool lowest = std::ranges::min_element(losses) == losses.end() - 1;
  if (!lowest || fall <= 0.1 * std::abs(then) || fall <= 0.05 * std::abs(losses[0])) return std::nullopt;
  const bool clear = fall > 0.2 * std::abs(then) && fall > 0.08 * std::abs(losses[0]);
  return Anomaly{
      .name = "still_improving",
      .step = stats.step,
      .where = stats.validation ? "val_loss" : "training loss",
      .evidence = concat("fell from ", short_form(then), " to ", short_form(last), " in the last ",
                         counted(static_cast<std::int64_t>(m) * losses_.piece(), "epoch")),
      .cause = "the run ends before the model has learnt what it can, or its rate is too low for so few steps",
      .remedy = concat("set epochs = ", 3 * epochs_, " or a higher lr"),
      .rank = Rank::pace,
      .severity = clear ? Severity::warning : Severity::note};
}

std::optional<Anomaly> OscillationGuard::accepted(const StepStats& stats) {
  if (!is_finite(stats.loss)) [[unlikely]]
    return std::nullopt;
  losses_.push(stats.loss);
  if (--countdown_ > 0 || reported_) [[likely]]
    return std::nullopt;
  countdown_ = interval;
  const auto losses = losses_.values();
  std::int64_t turns = 0;
  double size = 0;
  for (std::size_t i = 1; i < length; ++i) {
    size += std::abs(losses[i] - losses[i - 1]);
    if (i > 1) turns += (losses[i] - losses[i - 1]) * (losses[i - 1] - losses[i - 2]) < 0;
  }
  constexpr std::size_t half = length / 2;
  const double mean = mean_of_values(losses), swing = size / static_cast<double>(length - 1);
  const bool falls = mean_of_values(losses.last(half)) < 0.95 * mean_of_values(losses.first(half));
  if (turns <= 85 || swing <= 0.2 * std::abs(mean) || falls) return std::nullopt;
  reported_ = true;
  return Anomaly{.name = "oscillation",
                 .step = stats.step,
                 .where = "loss",
                 .evidence = concat("turned round in ", turns, " of ", length - 2, " steps, by ", short_form(swing),
                                    " at a mean of ", short_form(mean)),
                 .cause = "steps that are too long: each jumps over the minimum and the next one back",
                 .remedy = concat("set lr below ", short_form(stats.lr / 3)),
                 .rank = Rank::blow_up};
}

void OscillationGuard::rolled_back() {
  losses_.clear();
  countdown_ = static_cast<std::int64_t>(length);
}

void OscillationGuard::visit_state(StateVisitor& state) {
  state.count(countdown_, static_cast<std::int64_t>(length));
  state.flag(reported_);
  losses_.visit_state(state);
  if (losses_.size() + static_cast<std::size_t>(countdown_) < length) state.refuse();
}

}  // namespace handrail::train
