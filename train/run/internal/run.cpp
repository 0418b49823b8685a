#include <handrail/train/run/internal/run.h>

#include <exception>
#include <utility>

#include <handrail/core/error.h>
#include <handrail/core/system/denormals.h>
#include <handrail/core/system/finite.h>
#include <handrail/train/checkpoints/checkpoint.h>
#include <handrail/train/checkpoints/checkpoint_store.h>
#include <handrail/train/checkpoints/internal/model_scales.h>
#include <handrail/train/checkpoints/internal/retention.h>
#include <handrail/train/files/file_system.h>
#include <handrail/train/files/signals.h>
#include <handrail/train/report/internal/metrics_log.h>
#include <handrail/train/run/internal/fingerprint.h>
#include <handrail/train/run/internal/preflight/standardise.h>

namespace handrail::train {
namespace {

std::map<std::string, std::string> fingerprint_of(const Setup& setup, Stop& stop) {
  return fingerprint(setup.options, {.optimizer = *setup.optimizer,
                                     .model = setup.model,
                                     .parameters = setup.parameters,
                                     .normalization = setup.info.normalization,
                                     .training = setup.data.train,
                                     .training_samples = setup.loader->samples(),
                                     .validation = setup.data.validation,
                                     .validation_samples = setup.validation ? setup.validation->samples() : 0,
                                     .poll = [&stop] { stop.poll(); }});
}

// What an exception says of itself.
std::string text_of(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& e) {
    return printable(e.what());
  } catch (...) {
    return "an exception that is no std::exception";
  }
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

FitResult Run::fit(const std::filesystem::path& run_dir) {
  preflight_.check_floating_point();
  const FlushDenormals mode;
  for (const Parameter& p : setup_.parameters)
    if (const Index bad = first_non_finite(p.tensor.span()); bad >= 0)
      throw NonFiniteError(concat("fit: want finite parameters; '", p.name, "' ", p.tensor.shape(), " has ",
                                  p.tensor.data()[bad], " in element ", bad, "; initialise them anew"),
                           p.name);
  setup_.set_lr(setup_.given_lr());
  check_logs({});
  try {
    loop_.saver.make_directory(run_dir);
  } catch (...) {
    loop_.saver.discard_directory();
    throw;
  }
  return train([this] { prepare(); });
}

FitResult Run::resume(const std::filesystem::path& run_dir, const ResumeOptions& options) {
  preflight_.check_floating_point();
  const FlushDenormals mode;
  return train([&] { take_up(run_dir, options); });
}

LrFinderResult Run::find_lr(const std::optional<LrFinderOptions>& options) {
  preflight_.read_data(true);
  setup_.loader->start_epoch(1);
  std::optional<ScalesAside> before;
  if (auto* layer = dynamic_cast<nn::Layer*>(&setup_.model)) before.emplace(*layer);
  standardise(setup_, loop_.at, stop_);
  return options ? preflight_.sweep(*options) : preflight_.sweep();
}

// Refuses sinks that cannot work and a file for metrics.csv that must not be written to, before anything has changed.
// run_dir: the directory of a run that is resumed; empty for a new one, which has no such file yet.
void Run::check_logs(const std::filesystem::path& run_dir) const {
  for (const auto& sink : desk_.sinks()) sink->check();
  const auto& csv = setup_.options.metrics_csv;
  if (!csv || (csv->empty() && run_dir.empty())) return;
  MetricsLog::check_path(csv->empty() ? run_dir / MetricsLog::file_name : *csv, posix_file_system());
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
  if (!stop_.has_begun()) try_part([&] { loop_.saver.discard_directory(); });
  if (error && !desk_.has_started) std::rethrow_exception(error);
  try_part([&] { save_last_state(); });
  stop_.look_at_end();
  leave_weights();
  try_part([&] { diagnose_predictions(); });
  try_part([&] { report_end_checks(); });
  try_part([&] { calibrate_outputs(); });
  try_part([&] { desk_.warn_of_sinks(loop_.at.step); });
  try_part([&] { complete_result(); });
  try_part([&] {
    if (error) desk_.result.exception = text_of(error);
  });
  try_part([&] { loop_.saver.report_end(loop_.at.step); });
  for (const auto& sink : desk_.sinks()) try_part([&] { sink->fit_end(desk_.result); });
  try_part([&] { desk_.call(&Recipe::on_fit_end, desk_.result); });
  if (error) std::rethrow_exception(error);
  // A signal that came in the last hooks is in the result that the caller gets. After an exception nobody reads a
  // result: the signal is left to the watch of the Trainer, which sends it again.
  note_end();
  if (desk_.result.signal != 0) SignalWatch::answer();
  return desk_.result;
}

// Everything before the first step. The summary comes first. A signal ends it at any point, and then no file is left.
void Run::prepare() {
  send_fit_start();
  desk_.call(&Recipe::on_fit_start);
  setup_.before_batch = [this] { stop_.poll(); };
  preflight_.read_data(true);
  setup_.loader->start_epoch(1);
  stop_.poll();
  preflight_.check_monitor();
  preflight_.check_limits();
  if (!setup_.options.fast_dev_run) {
    stop_.poll();
    preflight_.check_data();
    preflight_.check_settings();
    stop_.poll();
    preflight_.check_model();
    if (stop_.running()) {
      if (!setup_.options.lr) {
        preflight_.pick_lr();
        preflight_.check_decay_and_clip();
      } else if (setup_.options.checks.lr) {
        preflight_.check_lr();
      }
    }
    preflight_.check_steps();
    if (setup_.options.guards.divergence) preflight_.measure_start();
  }
  setup_.data.train_preview = setup_.data.validation_preview = nullptr;
  // The fingerprint reads the data: it is made only for a run that can be resumed.
  if (loop_.saver.has_checkpoints()) loop_.settings = fingerprint_of(setup_, stop_);
  loop_.guards.add_all(setup_);
  loop_.good.note_attempt();
  loop_.good.set(loop_.capture());
  keep_start();
  if (loop_.saver.has_checkpoints()) loop_.saver.save_first(loop_.good.state());
  setup_.before_batch = {};
  stop_.begin();
  send_train_start();
  desk_.call(&Recipe::on_train_start);
  loop_.saver.start(loop_.good.state());
}

// A second fit begins with these weights, perhaps in another process that resumes the run.
void Run::keep_start() {
  TrainingState& start = start_.emplace();
  capture(setup_.parameters, start.parameters);
  capture(setup_.buffers, start.buffers);
  start.decisions = setup_.decisions;
  start.guards["trained"] = loop_.good.state().guards.at("trained");
  if (setup_.options.refit && loop_.saver.has_checkpoints()) loop_.saver.save_start(start);
}

// Makes the newest checkpoint of that directory the state of this run.
void Run::take_up(const std::filesystem::path& run_dir, const ResumeOptions& options) {
  std::error_code none;
  auto given = std::filesystem::weakly_canonical(run_dir, none);
  if (none) given = absolute_path(run_dir);
  const bool names_it = given.has_filename() && !std::filesystem::is_regular_file(given, none);
  const auto dir = names_it ? given : given.parent_path();
  preflight_.read_data(false);
  // The lock comes before the checkpoint is read: until then another process may write a newer one.
  const bool has_any = !list_checkpoints(dir).empty();
  if (has_any) loop_.saver.take_directory(dir);
  const auto loaded = has_any ? loop_.saver.load_newest() : std::nullopt;
  if (!loaded)
    fail<CheckpointError>("resume: want the directory of a run, such as runs/mnist/1; got ", dir,
                          ", which has no checkpoints");
  const TrainingState& state = loaded->state;
  ScalesOf scales(setup_.model, state.buffers);
  check_fits(setup_.model, state);
  setup_.take_scales();
  loop_.settings = fingerprint_of(setup_, stop_);
  check_logs(dir);
  resumed_ = true;
  setup_.set_lr(setup_.given_lr());
  loop_.guards.add_all(setup_);
  check_fingerprint(state.settings, loop_.settings, options.allow);
  // The other decisions follow from the settings. A rate that is given now is used when `lr` is allowed to differ.
  const bool other_lr =
      setup_.options.lr && state.settings.contains("lr") && state.settings.at("lr") != loop_.settings.at("lr");
  if (!other_lr) setup_.set_lr(state.decisions.lr);
  if (setup_.options.refit) start_ = loop_.saver.load_start();
  loop_.restore(state);
  scales.keep();
  setup_.take_scales();  // loss_unit follows from the constants
  loop_.saver.open_log(state.log_length, state.progress.step);
  desk_.result.checkpoint = loaded->path.string();
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
  loop_.saver.start(state);
  loop_.catch_up();
  if (stop_.running() && loop_.evaluator.has_stopped()) stop_.because(StopReason::early_stopping);
}

}  // namespace handrail::train
