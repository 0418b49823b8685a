#include <handrail/train/run/loop/evaluator.h>

#include <algorithm>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <handrail/core/error.h>
#include <handrail/core/system/finite.h>
#include <handrail/train/checkpoints/checkpoint.h>
#include <handrail/train/run/internal/evaluate.h>
#include <handrail/train/run/loop/guards.h>

namespace handrail::train {

Evaluator::Evaluator(const Setup& setup, Desk& desk, Stop& stop, Position& at, GoodState& good)
    : setup_(setup),
      desk_(desk),
      stop_(stop),
      at_(at),
      good_(good),
      early_stopping_(setup.options.mode, setup.options.improvement, setup.options.patience,
                      setup.options.decay != Decay::constant) {}

bool Evaluator::due() const {
  return setup_.validation && at_.step % setup_.options.val_check_interval == 0 && at_.step > 0 &&
         at_.evaluated_at != at_.step;
}

std::optional<Evaluation> Evaluator::measure() {
  if (!setup_.validation) return std::nullopt;
  const TrainerOptions& options = setup_.options;
  return evaluate(setup_.recipe, setup_.info.task, options.metrics, *setup_.validation,
                  options.limit_val_batches.value_or(setup_.validation->size()), [this] { stop_.poll(); });
}

bool Evaluator::measure_validation() {
  try {
    last_ = measure();
    return true;
  } catch (const Interrupted&) {
    return false;
  }
}

bool Evaluator::run_at_epoch_end(std::optional<Evaluation>& evaluation) {
  // An epoch that was interrupted in its evaluation ends when the run is resumed. An epoch without an update has no new
  // loss on the validation set, but a training loss of its own.
  const bool was_made = at_.evaluated_at == at_.step && (setup_.validation || at_.evaluated_epoch == at_.epoch);
  if (!was_made && !run()) return false;
  evaluation = last_;
  return true;
}

bool Evaluator::run() {
  std::optional<double> value;
  if (setup_.validation) {
    desk_.call(&Recipe::on_validation_start);
    if (!measure_validation()) return false;
    value = monitored(*last_, at_);
  } else if (is_training_figure(setup_.options.monitor)) {
    value = monitored({}, at_);
  }
  // An evaluation after training has diverged is never the best.
  constexpr double no_loss = std::numeric_limits<double>::quiet_NaN();
  const double candidate = value && good_.check_health() ? *value : no_loss;
  at_.evaluated_at = at_.step;
  at_.evaluated_epoch = at_.epoch;
  if (!value) return true;
  at_.torn = true;
  const Evaluation evaluation = last_.value_or(Evaluation{});
  const bool by_loss = setup_.options.monitor == "val_loss";
  const bool best = early_stopping_.add(candidate, by_loss ? evaluation.group_losses : std::vector<double>{},
                                        setup_.validation ? evaluation.loss : no_loss);
  if (best) keep_best(*value, evaluation);
  report({.step = at_.step, .epoch = at_.epoch, .evaluation = evaluation, .monitored = *value, .best = best});
  if (early_stopping_.stop() && stop_.running()) stop_.because(StopReason::early_stopping);
  return true;
}

void Evaluator::keep_best(double value, const Evaluation& evaluation) {
  ModelState weights = capture(setup_.model);
  Best best{.epoch = at_.epoch, .step = at_.step, .value = value, .evaluation = evaluation};
  best.evaluation.group_losses.clear();
  best.evaluation.measured_confusion.reset();
  best_ = std::move(best);
  best_parameters_ = std::move(weights.parameters);
  best_buffers_ = std::move(weights.buffers);
  improved_ = true;
}

void Evaluator::report(const EvaluationStats& stats) {
  const double loss = stats.evaluation.loss;
  if (setup_.validation) desk_.send(&LogSink::evaluated, stats);
  at_.torn = false;
  if (setup_.validation) {
    desk_.call(&Recipe::on_validation_end, stats);
    desk_.warn_of_sinks(stats.step);
    if (!is_finite(loss)) {
      const bool sound = std::ranges::all_of(setup_.parameters,
                                             [](const Parameter& p) { return first_non_finite(p.tensor.span()) < 0; });
      desk_.warn({.name = "non_finite_validation",
                  .step = stats.step,
                  .where = "validation set",
                  .evidence = concat("its loss is ", loss, sound ? " with finite parameters" : ""),
                  .cause = sound
                               ? "NaN or huge values in the validation data, or outputs that are too large for the loss"
                               : "parameters that are not finite",
                  .remedy = sound ? "look for NaN and huge values in the validation set"
                                  : "find out what writes to the parameters besides the optimizer"});
    }
  }
  if (!is_finite(stats.monitored) && is_finite(loss))
    desk_.warn({.name = "non_finite_metric",
                .step = stats.step,
                .where = setup_.options.monitor,
                .evidence = concat("it is ", stats.monitored, ", which cannot be compared with other values"),
                .cause = "a division by zero where it is computed, or samples for which it is not defined: an AUC "
                         "needs both classes",
                .remedy = "return 0 where a metric of your own has no value; validate on samples of every class"});
}

double Evaluator::monitored(const Evaluation& evaluation, const Position& at) const {
  std::vector<MetricValue> known{{"train_loss", at.train_loss()}};
  for (const MetricValue& metric : at.train_metrics()) known.push_back({"train_" + metric.name, metric.value});
  if (setup_.validation) {
    known.push_back({"val_loss", evaluation.loss});
    if (evaluation.measured_accuracy) known.push_back({"val_accuracy", *evaluation.measured_accuracy});
    for (const MetricValue& metric : evaluation.metrics) known.push_back({"val_" + metric.name, metric.value});
  }
  std::string names;
  for (const MetricValue& metric : known) {
    if (metric.name == setup_.options.monitor) return metric.value;
    names += " " + metric.name;
  }
  fail<OptionError>("monitor: want one of", names, "; got '", setup_.options.monitor,
                    "'. A val_ metric is measured when it is in options.metrics, as in .metrics = {F1{}}");
}

bool Evaluator::restore_best() const {
  if (best_) write_back(setup_.parameters, setup_.buffers, best_parameters_, best_buffers_);
  return best_.has_value();
}

void Evaluator::save(TrainingState& state) {
  save_state(early_stopping_, state.guards["early_stopping"]);
  state.validation = last_;
  if (best_.has_value() == state.best.has_value() && (!best_ || best_->step == state.best->step)) return;
  state.best = best_;
  state.best_parameters = best_parameters_;
  state.best_buffers = best_buffers_;
}

void Evaluator::load(const TrainingState& state) {
  load_named(state.guards, "early_stopping", [&](const auto& kept) { return load_state(early_stopping_, kept); });
  last_ = state.validation;
  best_ = state.best;
  best_parameters_ = state.best_parameters;
  best_buffers_ = state.best_buffers;
}

}  // namespace handrail::train
