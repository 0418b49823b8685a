// Runs, and the other calls of a Trainer.
#include <cstdio>
#include <set>
#include <string>

#include <handrail/train/checkpoints/internal/retention.h>
#include <handrail/train/report/internal/metrics_log.h>

#include "torture/low_memory/job.h"
#include "torture/run_directory.h"

using namespace handrail;
namespace fs = std::filesystem;

namespace {

// A row that is not finite: every epoch has a step that is rolled back.
const train::TensorDataset& training_rows() {
  static const auto rows = points_with(44, {20}, nan_value);
  return rows;
}
// All of a run: checks, LR finder, evaluations, rollbacks, checkpoints, metrics.csv, console.
train::TrainerOptions run_options(const fs::path& dir) {
  static std::FILE* const nowhere = std::fopen("/dev/null", "w");
  train::TrainerOptions options{.epochs = 3,
                                .batch_size = 8,
                                .accumulate_grad_batches = 2,
                                .val_check_interval = 2,
                                .metrics = {train::F1{}},
                                .checkpoints = train::CheckpointOptions{.dir = dir, .name = "run", .every_n_steps = 1},
                                .log_every_n_steps = 2,
                                .sinks = {train::console(nowhere)}};
  options.checks.finite = false;
  return options;
}

// How the run of run_options ends when nothing fails, and the hashes that its model has on the way.
struct WholeRun {
  explicit WholeRun(const fs::path& dir) {
    Job job(run_options(dir));
    hashes.insert(hash_of(job.model));
    const auto note = [&] { hashes.insert(hash_of(job.model)); };
    job.trainer.step_end = [&](const auto&) { note(); };
    const train::FitResult result = job.trainer.fit(training_rows(), validation_rows());
    note();
    rollbacks = result.rollbacks;
    end = hash_of(job.model);
    metrics = bytes_of(dir / "run/1" / train::MetricsLog::file_name);
  }

  std::set<std::uint64_t> hashes;
  std::uint64_t end = 0;
  std::int64_t rollbacks = 0;
  std::string metrics;
};

const WholeRun& whole_run(const fs::path& dir) {
  static const WholeRun run(dir / "whole");
  return run;
}

// Whether the run in that directory, if it has got so far as a checkpoint, ends as the whole one when it is resumed.
std::string check_resume(const fs::path& dir, const WholeRun& whole) {
  const fs::path run = dir / "run/1";
  if (!fs::exists(run) || train::list_checkpoints(run).empty()) return {};
  Job job(run_options(dir));
  job.trainer.resume(run, training_rows(), validation_rows());
  if (hash_of(job.model) != whole.end) return "the directory resumes to other weights";
  return bytes_of(run / train::MetricsLog::file_name) == whole.metrics ? "" : "metrics.csv has other lines on resume";
}

std::string check_run(Job& job, const fs::path& dir, const WholeRun& whole, bool threw) {
  if (whole.rollbacks == 0) return "the whole run has no rollback";
  const std::uint64_t hash = hash_of(job.model);
  if (!all_finite(job.model)) return "weights that are not finite";
  if (!threw) return hash == whole.end ? "" : "success with other weights";
  if (!whole.hashes.contains(hash)) return "weights that the run never has";
  if (std::string problem = check_resume(dir, whole); !problem.empty()) return problem;
  job.begin_anew();
  job.trainer.fit(training_rows(), validation_rows());
  return hash_of(job.model) == whole.end ? "" : "the next fit ends with other weights";
}

Attempt make_fit(const fs::path& dir) {
  const WholeRun& whole = whole_run(dir);
  const auto job = std::make_shared<Job>(run_options(dir));
  return {[=] { job->trainer.fit(training_rows(), validation_rows()); },
          [=, &whole](bool threw) { return check_run(*job, dir, whole, threw); }};
}

// The directory of a run that was stopped after its third step.
const fs::path& stopped_run(const fs::path& dir) {
  static const fs::path stopped = [&] {
    Job job(run_options(dir / "stopped"));
    job.trainer.step_end = [&](const train::StepStats& stats) {
      if (stats.step == 3) job.trainer.stop();
    };
    job.trainer.fit(training_rows(), validation_rows());
    return dir / "stopped";
  }();
  return stopped;
}

Attempt make_resume(const fs::path& dir) {
  const WholeRun& whole = whole_run(dir);
  const fs::path& stopped = stopped_run(dir);
  fs::create_directories(dir);
  fs::copy(stopped / "run", dir / "run", fs::copy_options::recursive);
  const auto job = std::make_shared<Job>(run_options(dir));
  return {[=] { job->trainer.resume(dir / "run/1", training_rows(), validation_rows()); },
          [=, &whole](bool threw) { return check_run(*job, dir, whole, threw); }};
}

double find_lr(Job& job) { return job.trainer.find_lr(clean_rows()).suggestion.value_or(0); }
Attempt make_find_lr(const fs::path&) {
  const auto make = [] { return std::make_shared<Job>(bare({.epochs = 40, .batch_size = 8})); };
  static const double want = find_lr(*make());
  return unchanged(make(), want, find_lr);
}

struct Fixes {
  train::TryFixResult result;
  bool operator==(const Fixes& other) const { return result.text() == other.result.text(); }
};
Fixes try_fix(Job& job) {
  return {job.trainer.try_fix(
      clean_rows(), validation_rows(),
      {train::fixes::higher_lr(3), train::fixes::weight_decay(0.1), train::fixes::batch_size(4)}, {.steps = 3})};
}
Attempt make_try_fix(const fs::path&) {
  const auto make = [] { return std::make_shared<Job>(bare({.epochs = 2, .batch_size = 8})); };
  static const Fixes want = try_fix(*make());
  return unchanged(make(), want, try_fix);
}
Attempt make_try_fix_after_fit(const fs::path&) {
  const auto make = [] {
    const auto job = std::make_shared<Job>(bare_options());
    job->trainer.fit(clean_rows(), validation_rows());
    return job;
  };
  static const Fixes want = try_fix(*make());
  return unchanged(make(), want, try_fix);
}

std::pair<double, std::vector<Scalar>> predict(Job& job) {
  const train::Evaluation evaluation = job.trainer.evaluate(validation_rows());
  return {evaluation.loss + evaluation.metrics.at(0).value, values_of(job.trainer.predict(validation_rows()))};
}
Attempt make_predict(const fs::path&) {
  const auto make = [] {
    auto options = bare_options();
    options.metrics = {train::F1{}};
    return std::make_shared<Job>(options);
  };
  static const auto want = predict(*make());
  return unchanged(make(), want, predict);
}

}  // namespace

std::span<const Scenario> training_scenarios() {
  static constexpr Scenario all[] = {{"fit", make_fit},
                                     {"resume", make_resume},
                                     {"find_lr", make_find_lr},
                                     {"try_fix", make_try_fix},
                                     {"try_fix_fit", make_try_fix_after_fit},
                                     {"predict", make_predict}};
  return all;
}
