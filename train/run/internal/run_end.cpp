// How a run ends: its last checkpoint, the weights it leaves, and what the predictions of the finished model tell.
#include <algorithm>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <handrail/core/error.h>
#include <handrail/train/checks/internal/outcome/prediction_checks.h>
#include <handrail/train/report/html/internal/html_report.h>
#include <handrail/train/run/internal/calibrate.h>
#include <handrail/train/run/internal/end_checks.h>
#include <handrail/train/run/internal/run.h>

namespace handrail::train {

// Writes the checkpoint from which the run can be resumed: of its last state or, when a guard ended it, of its last
// good state. An exception in the middle of a step leaves half of it, which no checkpoint may hold: then the last good
// state is saved, unless the newest checkpoint is from after it.
void Run::save_last_state() {
  if (!stop_.has_begun()) return;
  if (loop_.saver.has_checkpoints()) stop_.announce();
  const bool is_whole = !loop_.at.torn;
  TrainingState last = stop_.by_guard() || !is_whole ? loop_.good.state() : loop_.capture();
  const bool is_saved = is_whole ? loop_.saver.has_saved(last) : loop_.saver.has_saved_since(last);
  if (loop_.saver.has_checkpoints() && !is_saved) loop_.saver.save(last, loop_.evaluator.has_improved());
  // After an exception the user's training_step is not called again. After a signal the run must end soon, and the
  // model gets the best weights anyway.
  const bool has_best = loop_.evaluator.best() && setup_.options.restore_best;
  const bool looks =
      stop_.reason() != StopReason::exception && !(stop_.reason() == StopReason::interrupted && has_best);
  diverged_ = !stop_.by_guard() && looks && !loop_.good.is_healthy();
  if (!diverged_ && (looks || stop_.reason() == StopReason::exception)) loop_.good.set(std::move(last));
}

void Run::leave_weights() {
  setup_.optimizer->zero_grad();
  if (stop_.has_begun() && (stop_.by_guard() || diverged_)) loop_.good.restore();
  if (setup_.options.restore_best) desk_.result.best_restored = loop_.evaluator.restore_best();
}

// Diagnoses the predictions on the validation set with the final weights. Errors about predictions of another kind are
// ignored, because they must not end a run that went well. Of a run that a guard has ended the predictions say nothing.
void Run::diagnose_predictions() {
  constexpr Index max_numbers = Index{1} << 24;
  if (!setup_.options.guards.labels || setup_.options.fast_dev_run || loop_.at.step == 0) return;
  const auto signal = preflight_.review().label_signal;
  if (stop_.by_guard() && signal && *signal < min_label_signal) desk_.warn(shuffled_labels(*signal, false));
  if (stop_.by_guard() || stop_.reason() >= StopReason::interrupted || !setup_.validation) return;
  const InferenceMode inference;
  std::vector<Scalar> predictions, targets;
  Shape shape, target_shape;
  Index rows = 0;
  const Index batches =
      std::min(setup_.validation->size(), setup_.options.limit_val_batches.value_or(setup_.validation->size()));
  for (Index i = 0; i < batches; ++i) {
    stop_.look_at_end();
    if (stop_.signal() != 0) return;
    const Batch batch = setup_.validation->batch(i);
    const StepOutput output = setup_.recipe.validation_step(batch);
    if (!output.predictions.defined() || std::ssize(predictions) > max_numbers) return;
    const Shape before = shape;
    shape = output.predictions.shape();
    target_shape = batch.targets.shape();
    if (shape.rank() == 0 || shape[0] != target_shape[0]) return;
    if (i > 0 && before.without_first() != shape.without_first()) return;
    predictions.insert(predictions.end(), output.predictions.span().begin(), output.predictions.span().end());
    targets.insert(targets.end(), batch.targets.span().begin(), batch.targets.span().end());
    rows += shape[0];
  }
  const Tensor all(shape.with_first(rows), predictions), wanted(target_shape.with_first(rows), targets);
  std::vector<Anomaly> found;
  try {
    const auto numbers = setup_.data.validation->numbers().first(static_cast<std::size_t>(rows));
    found = train::diagnose(all, wanted, setup_.info.task, setup_.plain_loss(), numbers, signal);
  } catch (const Error&) {
    return;
  }
  for (Anomaly& anomaly : found) {
    anomaly.step = loop_.at.step;
    desk_.warn(std::move(anomaly));
  }
}

void Run::report_end_checks() {
  // A run that the program has stopped is as good as it wanted.
  const bool is_complete = !stop_.by_guard() && stop_.reason() < StopReason::requested;
  if (!is_complete || setup_.options.fast_dev_run || loop_.at.step == 0) return;
  for (Anomaly& anomaly : judge_end(setup_, loop_, stop_, preflight_.review())) {
    anomaly.step = loop_.at.step;
    desk_.warn(std::move(anomaly));
  }
}

// Comes after the checks of the finished model, which are about the weights that were trained.
void Run::calibrate_outputs() {
  if (!setup_.options.calibrate || setup_.options.fast_dev_run || loop_.at.step == 0) return;
  if (stop_.by_guard() || stop_.reason() >= StopReason::interrupted) return;
  try {
    desk_.result.calibration = calibrate(setup_, stop_);
  } catch (const Interrupted&) {
    // stop_ knows the signal
  }
}

void Run::note_end() {
  stop_.look_at_end();
  desk_.result.reason = stop_.reason();
  desk_.result.signal = stop_.signal();
}

void Run::complete_result() {
  FitResult& result = desk_.result;
  note_end();
  result.epochs = loop_.at.epoch - 1;
  result.steps = loop_.at.step;
  result.skipped = loop_.at.skipped;
  result.rollbacks = loop_.at.rollbacks;
  result.train_loss = loop_.at.last_train_loss;
  result.validation = loop_.evaluator.last();
  result.lr = setup_.decisions.lr;
  result.monitor = setup_.options.monitor;
  result.best = loop_.evaluator.best();
  result.seconds = stop_.seconds() + loop_.at.seconds;
  if (stop_.has_begun())
    setup_.last_run = {loop_.good.take_state(), std::move(start_), has_failed(), loop_.saver.report()};
}

// Whether the weights may be damaged, for example by a rate that has killed units, so that no fix could be measured
// from them.
bool Run::has_failed() const {
  return stop_.by_guard() || diverged_ || std::ranges::any_of(desk_.result.anomalies, [](const Anomaly& anomaly) {
           return anomaly.rank == Rank::blow_up && anomaly.severity == Severity::warning;
         });
}

void add_to_report(const Program& program, FitResult& result) {
  if (!program.last_run || !program.last_run->report) return;
  try {
    std::string problem = program.last_run->report->write_again(result);
    if (problem.empty()) return;
    result.anomalies.push_back({.name = "report",
                                .step = result.steps,
                                .evidence = std::move(problem),
                                .cause = "a problem with the disk",
                                .remedy = "free disk space, or set report = off; nothing else is affected"});
    ++result.anomaly_counts["report"];
    for (const auto& sink : program.options.sinks) sink->anomaly(result.anomalies.back());
  } catch (const std::bad_alloc&) {
    // The report stays as the run has left it.
  }
}

}  // namespace handrail::train
