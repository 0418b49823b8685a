// How an epoch ends: evaluation and what follows from it. How a run ends: its last checkpoint, the weights it
// leaves, what the finished model tells.
#include <algorithm>
#include <limits>
#include <optional>
#include <span>
#include <vector>

#include <handrail/core/error.h>
#include <handrail/core/system/finite.h>
#include <handrail/train/checks/internal/prediction_checks.h>
#include <handrail/train/guards/layer_guard.h>
#include <handrail/train/run/internal/run.h>

namespace handrail::train {

// Evaluation, early stopping and guards, hooks; the checkpoint last, so that it holds what they decided.
void Trainer::Run::end_epoch(double start) {
  EpochStats stats{.epoch = progress_.epoch,
                   .step = progress_.step,
                   .lr = schedule_(std::max<std::int64_t>(progress_.step, 1)) * progress_.lr_factor,
                   .train_loss = progress_.epoch_loss / static_cast<double>(progress_.epoch_samples),
                   .metrics = epoch_metrics(),
                   .validation = {},
                   .seconds = 0};
  // Interrupted in its evaluation, the epoch is ended when the run goes on.
  if (evaluated_at_ != progress_.step || !validation_) {
    if (!evaluate()) return;
  } else if (!last_evaluation_ && !measure_validation()) {  // it was before the run was interrupted
    return;
  }
  stats.validation = last_evaluation_;
  look_at_clock();
  stats.seconds = clock_ - start;
  result_.epochs = progress_.epoch;
  result_.train_loss = stats.train_loss;
  ++progress_.epoch;
  progress_.batch = progress_.epoch_samples = 0;
  progress_.epoch_loss = 0;
  progress_.epoch_metrics.clear();
  Ruling ruling;
  for (const auto& guard : guards_)
    if (auto finding = guard->epoch_end(stats)) ruling.add(report(std::move(*finding)));
  act(ruling);
  for (const auto& sink : sinks()) sink->epoch_end(stats);
  trainer_.on_epoch_end(stats);
  look_for_stop();
  if (!stopped_by_guard_) keep_progress();
}

// As the state to go back to, and on disk when it is time; but not one in which training has diverged.
void Trainer::Run::keep_progress() {
  const bool due = checkpoint_due();
  const auto lost = layer_guard_ ? layer_guard_->lost() : std::vector<std::string>();
  const bool whole = std::ranges::all_of(lost, [this](const std::string& place) { return is_frozen(place); });
  if (whole && is_healthy()) {
    keep_good_state();
    if (due) save_checkpoint(last_good_);
  } else if (due) {
    note_attempt();
  }
}

std::vector<MetricValue> Trainer::Run::epoch_metrics() const {
  std::vector<MetricValue> metrics = progress_.epoch_metrics;
  for (MetricValue& metric : metrics) metric.value /= static_cast<double>(progress_.epoch_samples);
  return metrics;
}

// On the validation set, or without one of the training figures so far, when those are monitored.
// Returns false, and nothing has happened, when a signal came meanwhile.
bool Trainer::Run::evaluate() {
  std::optional<double> value;
  if (validation_) {
    trainer_.on_validation_start();
    if (!measure_validation()) return false;
    result_.validation = last_evaluation_;
    value = monitored(*last_evaluation_);
  } else if (options_.monitor.starts_with("train_")) {
    value = monitored({});
  }
  // No evaluation of a run that has diverged is the best.
  const double judged = value && is_healthy() ? *value : std::numeric_limits<double>::quiet_NaN();
  evaluated_at_ = progress_.step;
  if (!value) return true;
  const Evaluation evaluation = last_evaluation_.value_or(Evaluation{});
  const bool by_loss = options_.monitor == "val_loss";
  const bool best = early_stopping_.add(judged, by_loss ? evaluation.group_losses : std::vector<double>{});
  if (best) {
    best_ = Best{.epoch = progress_.epoch, .step = progress_.step, .value = *value, .evaluation = evaluation};
    best_->evaluation.group_losses.clear();
    best_->evaluation.measured_confusion.reset();
    keep_weights(best_parameters_, best_buffers_);
    improved_ = true;
  }
  if (validation_) {
    const EvaluationStats stats{
        .step = progress_.step, .epoch = progress_.epoch, .evaluation = evaluation, .monitored = *value, .best = best};
    for (const auto& sink : sinks()) sink->evaluated(stats);
    trainer_.on_validation_end(stats);
    if (!is_finite(evaluation.loss)) {
      const bool sound =
          std::ranges::all_of(parameters_, [](const Parameter& p) { return first_non_finite(p.tensor.span()) < 0; });
      warn({.name = "non_finite_validation",
            .step = progress_.step,
            .where = "validation set",
            .evidence = concat("its loss is ", evaluation.loss, sound ? " with finite parameters" : ""),
            .cause = sound ? "NaN or huge values in the validation data, or outputs that are too large for the loss"
                           : "parameters that are not finite",
            .remedy = sound ? "look for NaN and huge values in the validation set"
                            : "find out what writes to the parameters besides the optimizer"});
    }
  }
  if (!is_finite(*value) && is_finite(evaluation.loss))
    warn({.name = "non_finite_metric",
          .step = progress_.step,
          .where = options_.monitor,
          .evidence = concat("it is ", *value, ", which cannot be compared with other values"),
          .cause = "a division by zero where it is computed, or samples for which it is not defined: an AUC needs both "
                   "classes",
          .remedy = "return 0 where a metric of your own has no value; validate on samples of every class"});
  if (early_stopping_.stop() && goes_on()) result_.reason = StopReason::early_stopping;
  return true;
}

bool Trainer::Run::measure_validation() {
  try {
    last_evaluation_ = evaluate_validation();
    return true;
  } catch (const Interrupted&) {
    return false;
  }
}

std::optional<Evaluation> Trainer::Run::evaluate_validation() {
  if (!validation_) return std::nullopt;
  return trainer_.evaluate(*validation_, options_.limit_val_batches.value_or(validation_->size()), [this] { poll(); });
}

double Trainer::Run::monitored(const Evaluation& evaluation) const {
  std::vector<MetricValue> known{{"train_loss", progress_.epoch_loss / static_cast<double>(progress_.epoch_samples)}};
  for (const MetricValue& metric : epoch_metrics()) known.push_back({"train_" + metric.name, metric.value});
  if (validation_) {
    known.push_back({"val_loss", evaluation.loss});
    if (evaluation.measured_accuracy) known.push_back({"val_accuracy", *evaluation.measured_accuracy});
    for (const MetricValue& metric : evaluation.metrics) known.push_back({"val_" + metric.name, metric.value});
  }
  std::string names;
  for (const MetricValue& metric : known) {
    if (metric.name == options_.monitor) return metric.value;
    names += " " + metric.name;
  }
  fail<OptionError>("monitor: want one of", names, "; got '", options_.monitor,
                    "'. A val_ metric is measured when it is in options.metrics, as in .metrics = {F1{}}");
}

// A checkpoint of where the run ended, which it can be resumed from; after a stop by a guard that is the
// last good state.
void Trainer::Run::save_last_state() {
  if (!begun_) return;
  if (store_) announce_stop();
  const TrainingState last = stopped_by_guard_ ? last_good_ : capture();
  if (store_ && saved_position_ != position_of(last)) save_checkpoint(last);
  // After an exception the user's training_step is left alone; after a signal there is no time to lose, and the best
  // weights are there.
  const bool looks = result_.reason != StopReason::exception &&
                     !(result_.reason == StopReason::interrupted && best_ && options_.restore_best);
  diverged_ = !stopped_by_guard_ && looks && !is_healthy();
  if (!diverged_ && (looks || result_.reason == StopReason::exception)) last_good_ = last;
}

void Trainer::Run::leave_weights() {
  optimizer_->zero_grad();
  if (begun_ && (stopped_by_guard_ || diverged_)) restore_weights(last_good_);
  if (!options_.restore_best || !best_) return;
  put_back_weights(best_parameters_, best_buffers_);
  result_.best_restored = true;
}

// With the weights the model is left with, on the validation set. No complaint about predictions of
// another kind may spoil the end of a run.
void Trainer::Run::diagnose() {
  constexpr Index most_numbers = Index{1} << 24;
  const bool ended_well = !stopped_by_guard_ && result_.reason < StopReason::interrupted;
  if (!ended_well || !options_.guards.labels || options_.fast_dev_run || !validation_ || !trainer_.plain_loss() ||
      progress_.step == 0)
    return;
  const InferenceMode inference;
  std::vector<Scalar> predictions, targets;
  Shape shape, target_shape;
  Index rows = 0;
  const Index batches = std::min(validation_->size(), options_.limit_val_batches.value_or(validation_->size()));
  for (Index i = 0; i < batches; ++i) {
    const Batch batch = validation_->batch(i);
    const StepOutput output = trainer_.validation_step(batch);
    if (!output.predictions.defined() || std::ssize(predictions) > most_numbers) return;
    shape = output.predictions.shape();
    target_shape = batch.targets.shape();
    if (shape.rank() == 0 || shape[0] != target_shape[0]) return;
    predictions.insert(predictions.end(), output.predictions.span().begin(), output.predictions.span().end());
    targets.insert(targets.end(), batch.targets.span().begin(), batch.targets.span().end());
    rows += shape[0];
  }
  const Tensor all(shape.with_first(rows), predictions), wanted(target_shape.with_first(rows), targets);
  std::optional<Anomaly> anomaly;
  try {
    anomaly = diagnose_baseline(all, wanted, trainer_.info_.task);
    if (!anomaly && trainer_.info_.task == Task::multiclass)
      anomaly = diagnose_labels(all, wanted, data_.validation->numbers().first(static_cast<std::size_t>(rows)));
  } catch (const Error&) {
    return;
  }
  if (!anomaly) return;
  anomaly->step = progress_.step;
  warn(std::move(*anomaly));
}

void Trainer::Run::complete_result() {
  result_.steps = progress_.step;
  result_.skipped = progress_.skipped;
  result_.rollbacks = progress_.rollbacks;
  result_.lr = decisions_.lr;
  result_.monitor = options_.monitor;
  result_.best = best_;
  result_.seconds = now() - start_ + progress_.seconds;
  if (begun_) trainer_.known_good_ = std::move(last_good_);
}

}  // namespace handrail::train
