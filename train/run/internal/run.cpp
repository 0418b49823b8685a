#include <handrail/train/run/internal/run.h>

#include <algorithm>
#include <exception>
#include <span>
#include <utility>
#include <vector>

#include <handrail/core/error.h>
#include <handrail/core/system/denormals.h>
#include <handrail/core/system/finite.h>
#include <handrail/train/checkpoints/checkpoint.h>
#include <handrail/train/checkpoints/checkpoint_store.h>
#include <handrail/train/checks/internal/prediction_checks.h>
#include <handrail/train/files/signals.h>
#include <handrail/train/lr/lr_scaling.h>
#include <handrail/train/run/internal/fingerprint.h>
#include <handrail/train/run/summary.h>

namespace handrail::train {
namespace {

std::map<std::string, std::string> fingerprint_of(const Setup& setup) {
  return fingerprint(setup.options, {.optimizer = *setup.optimizer,
                                     .parameters = setup.parameters,
                                     .normalization = setup.program.info.normalization,
                                     .training = setup.data.train,
                                     .training_samples = setup.loader->samples(),
                                     .validation = setup.data.validation,
                                     .validation_samples = setup.validation ? setup.validation->samples() : 0});
}

}  // namespace

Run::Run(const Program& program, RunData data)
    : setup_(program, std::move(data)),
      desk_(program.recipe, program.options.sinks),
      stop_(setup_, desk_),
      loop_(setup_, setup_.schedule, desk_, stop_, program.options.guards.non_finite),
      preflight_(setup_, loop_, desk_, stop_) {
  desk_.on_verdict = [this](const Verdict& verdict) { loop_.act(verdict); };
}

FitResult Run::fit() {
  std::optional<SignalWatch> watch;
  if (setup_.options.handle_signals) watch.emplace();
  preflight_.check_floating_point();
  const FlushDenormals mode;
  for (const Parameter& p : setup_.parameters)
    if (const Index bad = first_non_finite(p.tensor.span()); bad >= 0)
      throw NonFiniteError(concat("fit: want finite parameters; '", p.name, "' ", p.tensor.shape(), " has ",
                                  p.tensor.data()[bad], " in element ", bad, "; initialise them anew"),
                           p.name);
  setup_.set_lr(setup_.given_lr());
  loop_.saver.make_directory();
  return train([this] { prepare(); });
}

FitResult Run::resume(const std::filesystem::path& run_dir, const ResumeOptions& options) {
  std::optional<SignalWatch> watch;
  if (setup_.options.handle_signals) watch.emplace();
  preflight_.check_floating_point();
  const FlushDenormals mode;
  return train([&] { take_up(run_dir, options); });
}

LrFinderResult Run::find_lr(const std::optional<LrFinderOptions>& options) {
  preflight_.read_data(true);
  setup_.loader->start_epoch(1);
  return options ? preflight_.sweep(*options) : preflight_.sweep();
}

// Whatever ends the training, every part of the end is made. The first exception is rethrown to the caller.
FitResult Run::train(const std::function<void()>& start) {
  std::exception_ptr error;
  const auto try_part = [&](auto&& part) {
    try {
      part();
    } catch (...) {
      if (error) return;
      error = std::current_exception();
      stop_.because(StopReason::exception);
      desk_.result.reason = StopReason::exception;
      if (!desk_.has_started) return;
      try {
        desk_.call(&Recipe::on_exception, error);
      } catch (...) {
        return;  // the exception before it is the one to report
      }
    }
  };
  try_part([&] {
    try {
      stop_.start_polling();
      start();
      loop_.run();
    } catch (const Interrupted&) {
      // Before the first step: stop_ knows the reason.
    }
  });
  stop_.end_polling();
  desk_.on_verdict = {};
  if (!stop_.has_begun()) loop_.saver.discard_directory();
  if (error && !desk_.has_started) std::rethrow_exception(error);
  try_part([&] { save_last_state(); });
  leave_weights();
  try_part([&] { diagnose_predictions(); });
  complete_result();
  for (const auto& sink : desk_.sinks()) try_part([&] { sink->fit_end(desk_.result); });
  try_part([&] { desk_.call(&Recipe::on_fit_end, desk_.result); });
  if (error) std::rethrow_exception(error);
  return desk_.result;
}

// Everything before the first step. The summary comes first. A signal ends it at any point, and then no file is left.
void Run::prepare() {
  send_fit_start();
  desk_.call(&Recipe::on_fit_start);
  preflight_.read_data(true);
  setup_.loader->start_epoch(1);
  stop_.poll();
  preflight_.check_monitor();
  if (!setup_.options.fast_dev_run) {
    stop_.poll();
    preflight_.check_data();
    stop_.poll();
    preflight_.check_model();
    if (!setup_.options.lr && stop_.running()) preflight_.pick_lr();
    if (setup_.options.guards.divergence) preflight_.measure_start();
  }
  setup_.data.train_preview = setup_.data.validation_preview = nullptr;
  // The fingerprint reads samples and all row numbers: it is made only for a run that can be resumed.
  if (loop_.saver.has_checkpoints()) loop_.settings = fingerprint_of(setup_);
  loop_.guards.add_all(setup_);
  loop_.good.keep(loop_.capture());
  if (loop_.saver.has_checkpoints()) loop_.saver.save_first(loop_.good.state());
  stop_.begin();
  send_train_start();
  desk_.call(&Recipe::on_train_start);
  loop_.saver.start(loop_.good.state());
}

// Makes the newest checkpoint of that directory the state of this run.
void Run::take_up(const std::filesystem::path& run_dir, const ResumeOptions& options) {
  std::error_code none;
  const auto dir =
      std::filesystem::is_regular_file(run_dir, none) ? std::filesystem::absolute(run_dir).parent_path() : run_dir;
  preflight_.read_data(false);
  loop_.settings = fingerprint_of(setup_);
  auto loaded = CheckpointStore::load_newest(dir);
  if (!loaded)
    fail<CheckpointError>("resume: want the directory of a run, such as runs/mnist/1; got ", dir,
                          ", which has no checkpoints");
  const TrainingState& state = loaded->state;
  check_fits(setup_.model, state);
  resumed_ = true;
  setup_.set_lr(setup_.given_lr());
  loop_.guards.add_all(setup_);
  check_fingerprint(state.settings, loop_.settings, options.allow);
  loop_.saver.take_directory(dir, loaded->sequence);
  // The other decisions follow from the settings. A rate that is given now is used when `lr` is allowed to differ.
  const bool other_lr =
      setup_.options.lr && state.settings.contains("lr") && state.settings.at("lr") != loop_.settings.at("lr");
  if (!other_lr) setup_.set_lr(state.decisions.lr);
  loop_.restore(state);
  loop_.saver.open_log(state.log_length);
  desk_.result.epochs = loop_.at.epoch - 1;
  desk_.result.checkpoint = loaded->path.string();
  loop_.good.set_state(std::move(loaded->state));
  stop_.begin();
  send_fit_start();
  for (const std::string& skipped : loaded->skipped)
    desk_.warn({.name = "checkpoint_skipped",
                .step = loop_.at.step,
                .evidence = skipped,
                .cause = "a damaged disk or file",
                .remedy = concat("nothing needs to be done: the run resumed from ", loaded->path)});
  desk_.call(&Recipe::on_fit_start);
  desk_.call(&Recipe::on_train_start);
  loop_.saver.start(loop_.good.state());
  // The run may have ended by early stopping, or been interrupted just before an evaluation.
  if (loop_.evaluator.has_stopped()) stop_.because(StopReason::early_stopping);
  if (stop_.running() && loop_.evaluator.due()) loop_.evaluator.run();
}

void Run::send_fit_start() {
  const bool finds_lr = !setup_.options.lr && !resumed_ && !setup_.options.fast_dev_run;
  const Plan plan{.model = setup_.model,
                  .optimizer = *setup_.optimizer,
                  .own_schedule = own_schedule(),
                  .lr = finds_lr ? std::nullopt : std::optional(setup_.decisions.lr),
                  .lr_source = lr_source(),
                  .loader = *setup_.loader,
                  .batches = setup_.batches(),
                  .validation = setup_.validation.get(),
                  .validation_source = setup_.data.validation_source,
                  .is_raw = setup_.data.train.dataset().is_raw(),
                  .run_dir = desk_.result.run_dir};
  desk_.result.summary = summarise(setup_.options, plan);
  if (resumed_) desk_.result.summary.insert(desk_.result.summary.begin(), {"resumed", resumed_text()});
  const FitStart event{.summary = desk_.result.summary,
                       .epochs = setup_.options.epochs,
                       .batches_per_epoch = setup_.batches(),
                       .planned_steps = setup_.decisions.planned_steps};
  desk_.has_started = true;
  desk_.send(&LogSink::fit_start, event);
}

std::string Run::resumed_text() const {
  std::string text = concat("at step ", loop_.at.step, ", epoch ", loop_.at.epoch, ", from ", desk_.result.checkpoint);
  if (loop_.at.epoch > setup_.options.epochs)
    text += concat("; it has finished its ", setup_.options.epochs, " epochs: for more of them allow \"epochs\"");
  else if (loop_.evaluator.has_stopped())
    text += "; it had stopped early: there is nothing left to do";
  return text;
}

// Sends what was not known when the summary was sent.
void Run::send_train_start() {
  TrainStart event{.found = preflight_.found()};
  if (!setup_.options.lr && !setup_.options.fast_dev_run)
    event.found.push_back({"lr", lr_text(setup_.decisions.lr, lr_source())});
  if (const auto& constants = setup_.program.info.normalization; constants && !setup_.options.normalization)
    event.found.push_back({"normalization", normalization_text(*constants, "of the training split")});
  if (const std::string schedule = own_schedule(); !schedule.empty() && !setup_.options.lr)
    event.found.push_back({"lr schedule", schedule_text(schedule)});
  for (const SummaryItem& item : event.found) {
    const auto known = std::ranges::find(desk_.result.summary, item.name, &SummaryItem::name);
    if (known != desk_.result.summary.end())
      *known = item;
    else
      desk_.result.summary.push_back(item);
  }
  desk_.send(&LogSink::train_start, event);
}

// Describes the schedule of an override of configure_schedule; empty when the schedule is the Trainer's own.
std::string Run::own_schedule() const {
  if (!(setup_.decisions.lr > 0)) return {};  // the Trainer's own schedule would refuse it
  return describe_own_schedule(setup_.schedule,
                               default_schedule(setup_.options, setup_.decisions.lr, setup_.decisions.planned_steps),
                               setup_.decisions.planned_steps);
}

std::string Run::lr_source() const {
  if (setup_.options.lr) {
    const Index batch = setup_.options.batch_size * setup_.options.accumulate_grad_batches;
    return setup_.decisions.lr == *setup_.options.lr ? "given"
                                                     : concat("given as ", *setup_.options.lr, " for ", reference_batch,
                                                              " samples per step, scaled to ", batch);
  }
  if (resumed_) return "as when the run began";
  if (!desk_.result.lr_finder || !desk_.result.lr_finder->suggestion) return "the optimizer's default";
  return concat("by the LR finder", desk_.result.lr_finder->few_samples ? ", by its rule for small data sets" : "",
                desk_.result.lr_finder->low_confidence ? "; a rate ten times lower or higher may do as well" : "",
                desk_.result.lr_finder->censored ? "; no rate of the sweep was too high" : "");
}

// Writes the checkpoint from which the run can be resumed: of its last state or, when a guard ended it, of its last
// good state.
void Run::save_last_state() {
  if (!stop_.has_begun()) return;
  if (loop_.saver.has_checkpoints()) stop_.announce();
  const TrainingState last = stop_.by_guard() ? loop_.good.state() : loop_.capture();
  if (loop_.saver.has_checkpoints() && !loop_.saver.has_saved(last))
    loop_.saver.save(last, loop_.evaluator.has_improved());
  // After an exception the user's training_step is not called again. After a signal the run must end soon, and the
  // model gets the best weights anyway.
  const bool has_best = loop_.evaluator.best() && setup_.options.restore_best;
  const bool looks =
      stop_.reason() != StopReason::exception && !(stop_.reason() == StopReason::interrupted && has_best);
  diverged_ = !stop_.by_guard() && looks && !loop_.good.is_healthy();
  if (!diverged_ && (looks || stop_.reason() == StopReason::exception)) loop_.good.set_state(last);
}

void Run::leave_weights() {
  setup_.optimizer->zero_grad();
  if (stop_.has_begun() && (stop_.by_guard() || diverged_)) loop_.good.restore();
  if (setup_.options.restore_best) desk_.result.best_restored = loop_.evaluator.restore_best();
}

// Diagnoses the predictions on the validation set with the final weights. Errors about predictions of another kind are
// ignored, because they must not end a run that went well.
void Run::diagnose_predictions() {
  constexpr Index max_numbers = Index{1} << 24;
  const bool ended_well = !stop_.by_guard() && stop_.reason() < StopReason::interrupted;
  if (!ended_well || !setup_.options.guards.labels || setup_.options.fast_dev_run || !setup_.validation ||
      !setup_.plain_loss() || loop_.at.step == 0)
    return;
  const InferenceMode inference;
  std::vector<Scalar> predictions, targets;
  Shape shape, target_shape;
  Index rows = 0;
  const Index batches =
      std::min(setup_.validation->size(), setup_.options.limit_val_batches.value_or(setup_.validation->size()));
  for (Index i = 0; i < batches; ++i) {
    const Batch batch = setup_.validation->batch(i);
    const StepOutput output = setup_.recipe.validation_step(batch);
    if (!output.predictions.defined() || std::ssize(predictions) > max_numbers) return;
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
    anomaly = diagnose_baseline(all, wanted, setup_.program.info.task);
    if (!anomaly && setup_.program.info.task == Task::multiclass)
      anomaly = diagnose_labels(all, wanted, setup_.data.validation->numbers().first(static_cast<std::size_t>(rows)));
  } catch (const Error&) {
    return;
  }
  if (!anomaly) return;
  anomaly->step = loop_.at.step;
  desk_.warn(std::move(*anomaly));
}

void Run::complete_result() {
  FitResult& result = desk_.result;
  result.reason = stop_.reason();
  result.signal = stop_.signal();
  result.steps = loop_.at.step;
  result.skipped = loop_.at.skipped;
  result.rollbacks = loop_.at.rollbacks;
  result.lr = setup_.decisions.lr;
  result.monitor = setup_.options.monitor;
  result.best = loop_.evaluator.best();
  result.seconds = stop_.seconds() + loop_.at.seconds;
  if (stop_.has_begun()) setup_.program.known_good = loop_.good.state();
}

}  // namespace handrail::train
