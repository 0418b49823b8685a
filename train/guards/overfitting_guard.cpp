#include <handrail/train/guards/overfitting_guard.h>

#include <cmath>

#include <handrail/core/error.h>
#include <handrail/core/system/finite.h>
#include <handrail/train/files/text.h>

namespace handrail::train {

std::optional<Anomaly> OverfittingGuard::accepted(const StepStats& stats) {
  if (is_finite(stats.loss)) initial_.add(stats.loss);
  return std::nullopt;
}

std::optional<Anomaly> OverfittingGuard::epoch_end(const EpochStats& stats) {
  if (reported_ || !stats.validation) return std::nullopt;
  const double train = stats.train_loss, validation = stats.validation->loss;
  if (!is_finite(train) || !is_finite(validation)) return std::nullopt;
  if (best_epoch_ == 0 || validation < best_) {
    best_epoch_ = stats.epoch;
    best_ = validation;
    train_then_ = train;
    return std::nullopt;
  }
  if (train >= train_then_ || validation - best_ <= 0.1 * std::abs(best_)) return std::nullopt;
  reported_ = true;
  const auto accuracy = stats.validation->measured_accuracy;
  if (initial_.mean() < 0 && (best_ > 0 || accuracy.value_or(1) < 0.5)) return loss_sign(stats, validation);
  constexpr Index min_epochs = 3;
  if (matters() && stats.epoch - best_epoch_ >= min_epochs && validation - train > 0.1 * initial_.magnitude())
    return overfitting(stats.step, train, validation);
  reported_ = false;
  return std::nullopt;
}

bool OverfittingGuard::matters() const {
  constexpr Index parts = 20;
  return severity_ == Severity::warning || planned_epochs_ == 0 || parts * best_epoch_ <= planned_epochs_;
}

Anomaly OverfittingGuard::overfitting(std::int64_t step, double train, double validation) const {
  return {.name = "overfitting",
          .step = step,
          .evidence = concat("val_loss rose from ", short_form(best_), " in epoch ", best_epoch_, " to ",
                             short_form(validation)),
          .cause = "the model memorises its training samples",
          .remedy = concat("stop at epoch ", best_epoch_, ", or add data, dropout or weight decay"),
          .action = Action::proceed,
          .details =
              concat("the training loss fell from ", short_form(train_then_), " to ", short_form(train), " meanwhile",
                     severity_ == Severity::note ? "; the best weights are restored when the run ends" : ""),
          .rank = Rank::outcome,
          .severity = severity_};
}

Anomaly OverfittingGuard::loss_sign(const EpochStats& stats, double validation) const {
  return {.name = "loss_sign",
          .step = stats.step,
          .where = "training loss",
          .evidence = best_ > 0 ? concat("it falls below 0 while val_loss rises from ", short_form(best_), " to ",
                                         short_form(validation))
                                : concat("it is negative and falls; val_accuracy is only ",
                                         short_form(*stats.validation->measured_accuracy)),
          .cause = "a training loss with the wrong sign: what should fall is made to grow",
          .remedy = "change the sign in training_step",
          .action = Action::proceed,
          .details = concat("the training loss was ", short_form(initial_.mean()), " at first and is ",
                            short_form(stats.train_loss)),
          .rank = Rank::setup};
}

void OverfittingGuard::visit_state(StateVisitor& state) {
  state.count(best_epoch_);
  state.number(best_);
  state.number(train_then_);
  state.flag(reported_);
  initial_.visit_state(state);
}

}  // namespace handrail::train
