#include <handrail/train/run/loop/saver.h>

#include <unistd.h>

#include <cerrno>  // program_invocation_short_name
#include <new>
#include <utility>

#include <handrail/core/error.h>

namespace handrail::train {
namespace {

constexpr const char* start_name = "start.hrc";

}  // namespace

void Saver::make_directory(const std::filesystem::path& given) {
  const TrainerOptions& options = setup_.options;
  const bool log_is_there = options.metrics_csv && options.metrics_csv->empty();
  if (options.checkpoints || log_is_there) {
    made_dir_ = given.empty()
                    ? new_run_dir(absolute_path(options.checkpoints.value_or(CheckpointOptions{}).dir), run_name())
                    : given;
    if (std::error_code error; !given.empty() && !std::filesystem::create_directory(given, error) && error)
      fail<CheckpointError>("fit: cannot make the directory ", given, ": ", error.message(), checkpoints_opt_out);
    desk_.result.run_dir = made_dir_.string();
    directory_.pin(made_dir_);
  }
  if (options.checkpoints)
    store_ = std::make_unique<CheckpointStore>(made_dir_, options.checkpoints->keep_last, files_);
  open_log(0, 0);
}

void Saver::take_directory(const std::filesystem::path& run_dir) {
  directory_.pin(run_dir);
  if (setup_.options.checkpoints)
    store_ = std::make_unique<CheckpointStore>(run_dir, setup_.options.checkpoints->keep_last, files_);
  desk_.result.run_dir = run_dir.string();
}

std::optional<LoadedCheckpoint> Saver::load_newest() {
  auto loaded = CheckpointStore::load_newest(directory_.path(), files_);
  if (loaded && store_) store_->keep(loaded->sequence);
  return loaded;
}

void Saver::open_log(std::uint64_t length, std::int64_t step) {
  const std::filesystem::path run_dir = desk_.result.run_dir;
  if (setup_.options.report && !run_dir.empty()) {
    report_ = std::make_shared<html::HtmlReport>(run_dir / html::HtmlReport::file_name);
    desk_.add_first(report_);
  }
  const auto& csv = setup_.options.metrics_csv;
  if (report_ && step > 0 && !csv) report_->resume_without_log(step);
  if (!csv) return;
  const std::filesystem::path path = csv->empty() ? run_dir / MetricsLog::file_name : absolute_path(*csv);
  if (report_ && step > 0) report_->resume(log_files_, path, length, step);
  log_ = std::make_shared<MetricsLog>(path, setup_.options.log_every_n_steps, length, log_files_);
  desk_.add_first(log_);
}

void Saver::discard_directory() {
  if (made_dir_.empty()) return;
  store_.reset();
  for (const char* name : {MetricsLog::file_name, html::HtmlReport::file_name, CheckpointStore::lock_name, start_name})
    files_.unlink((made_dir_ / name).c_str());
  ::rmdir(made_dir_.c_str());  // fails when somebody has put something there, or a link in its place
  desk_.result.run_dir.clear();
}

void Saver::start(const TrainingState& state) {
  constexpr double first_report = 10;  // seconds
  report_time_ = stop_.clock() + first_report;
  note_attempt(state.progress);
  saved_ = position_of(state);
}

void Saver::note_attempt(const Progress& at) {
  tried_step_ = at.step;
  tried_epoch_ = at.epoch;
  tried_time_ = stop_.clock();
}

bool Saver::due(const Progress& at) const {
  if (!store_) return false;
  constexpr double min_seconds = 1;
  constexpr std::int64_t max_steps = 10'000;
  const CheckpointOptions& every = *setup_.options.checkpoints;
  const double elapsed = stop_.clock() - tried_time_;
  const std::int64_t steps = at.step - tried_step_;
  if (every.every_n_steps && steps >= *every.every_n_steps) return true;
  const bool epoch_is_over = at.batch == 0 && at.epoch - tried_epoch_ >= every.every_n_epochs;
  return (elapsed >= min_seconds && (epoch_is_over || steps >= max_steps)) || elapsed > 60 * every.every_minutes;
}

bool Saver::save(const TrainingState& state, bool is_best) {
  note_attempt(state.progress);
  const std::int64_t step = state.progress.step;
  std::filesystem::path path;
  try {
    if (store_->remake())
      desk_.warn({.name = "run_directory_deleted",
                  .step = step,
                  .evidence = concat("'", desk_.result.run_dir, "' is gone, with the checkpoints so far"),
                  .cause = "somebody deleted it while the run goes on",
                  .remedy = "nothing: it is made again, with a checkpoint of this step"});
    sync_log(step);
    path = store_->save(state, is_best);
  } catch (const CheckpointError& error) {
    desk_.result.checkpoint_problem = error.what();
    desk_.warn({.name = "checkpoint_failed",
                .step = step,
                .evidence = error.what(),
                .cause = "a problem with the disk, or a value that is not finite",
                .remedy = "free disk space, or set checkpoints = off"});
    return false;
  }
  desk_.result.checkpoint = path.string();
  desk_.result.checkpoint_problem.clear();
  saved_ = position_of(state);
  if (!store_->rotation_problem().empty())
    desk_.warn({.name = "checkpoint_rotation",
                .step = step,
                .evidence = store_->rotation_problem(),
                .cause = "a problem with the disk, or missing permissions in the directory",
                .remedy = "remove old checkpoints by hand before they fill the disk"});
  desk_.call(&Recipe::on_checkpoint, path);
  return true;
}

void Saver::save_first(const TrainingState& state) {
  sync_log(state.progress.step);
  try {
    desk_.result.checkpoint = store_->save(state, false).string();
  } catch (const CheckpointError& error) {
    fail<CheckpointError>(error.what(), checkpoints_opt_out);
  }
}

void Saver::save_start(const TrainingState& start) {
  save_checkpoint(std::filesystem::path(directory_.path()) / start_name, start, false, files_);
}

TrainingState Saver::load_start() {
  return load_checkpoint(std::filesystem::path(directory_.path()) / start_name, files_);
}

// Comes before a checkpoint, which stores the length of the log.
void Saver::sync_log(std::int64_t step) {
  if (!log_) return;
  log_->sync();
  desk_.warn_of_sinks(step);
}

void Saver::write_report(std::int64_t step, bool is_over) {
  constexpr double interval = 60;  // seconds
  report_time_ = stop_.clock() + interval;
  try {
    if (std::string problem = report_->write(log_files_, desk_.result, is_over); !problem.empty())
      desk_.warn({.name = "report",
                  .step = step,
                  .evidence = std::move(problem),
                  .cause = "a problem with the disk",
                  .remedy = "free disk space, or set report = off; nothing else is affected"});
  } catch (const std::bad_alloc&) {
    // The run goes on without this report. Memory that is short may be there again in a minute.
  }
}

// The name of a program may have characters that the name of a run must not have.
std::string Saver::run_name() const {
  const auto& checkpoints = setup_.options.checkpoints;
  return checkpoints && !checkpoints->name.empty() ? checkpoints->name : to_run_name(program_invocation_short_name);
}

}  // namespace handrail::train
