#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include <handrail/train/checkpoints/checkpoint_store.h>
#include <handrail/train/report/html/internal/html_report.h>
#include <handrail/train/report/internal/metrics_log.h>
#include <handrail/train/run/loop/stop.h>

namespace handrail::train {

/// Writes the directory of a run: its checkpoints, metrics.csv and report.html. A failure to write is reported as an
/// anomaly and does not end the training.
class Saver {
 public:
  Saver(const Setup& setup, Desk& desk, Stop& stop)
      : setup_(setup), desk_(desk), files_(stop, directory_), stop_(stop) {}
  ~Saver() {
    desk_.remove(log_);  // the log writes through the files of this object
    desk_.remove(report_);
  }
  Saver(const Saver&) = delete;
  Saver& operator=(const Saver&) = delete;

  /// Makes a new directory, or the one that is given, and opens metrics.csv and the report, as far as the options ask
  /// for them. Throws CheckpointError when it cannot be made.
  void make_directory(const std::filesystem::path& given = {});
  /// Uses the directory of a run that is resumed, an absolute path. Throws CheckpointError when another run has its
  /// lock.
  void take_directory(const std::filesystem::path& run_dir);
  /// Loads the newest checkpoint of the directory that was taken, and keeps it as long as the run lasts. Throws
  /// CheckpointError as CheckpointStore::load_newest does.
  std::optional<LoadedCheckpoint> load_newest();
  /// Opens metrics.csv and appends after the first `length` bytes: those lines belong to the checkpoint that is
  /// resumed at `step`, and the report begins with them.
  void open_log(std::uint64_t length, std::int64_t step);
  /// Removes the directory that make_directory made. For a run that ended before its first step.
  void discard_directory();
  /// Begins to count for due(). state: the state that was saved last.
  void start(const TrainingState& state);

  /// Whether the run writes checkpoints.
  bool has_checkpoints() const { return store_ != nullptr; }
  /// The length of metrics.csv in bytes; 0 without one.
  std::uint64_t log_length() const { return log_ ? log_->length() : 0; }

  /// Whether steps, epochs or time ask for a checkpoint.
  bool due(const Progress& at) const;
  /// Counts for due() as if a checkpoint had been written. For a state that is not good and therefore not saved.
  void note_attempt(const Progress& at);
  /// Writes a checkpoint of the state and returns whether it was written. A failure is reported; the next attempt is
  /// made when the next checkpoint is due.
  bool save(const TrainingState& state, bool is_best);
  /// Writes the report of the run so far when a minute has passed since the last one, the first one after 10 s. A
  /// failure is reported.
  void report_if_due(std::int64_t step) {
    if (report_ && stop_.clock() >= report_time_) write_report(step, false);
  }
  /// Writes the report of the run that has ended; there is none before its first step. A failure is reported.
  void report_end(std::int64_t step) {
    if (report_ && !desk_.result.run_dir.empty()) write_report(step, true);
  }
  /// The report, for what follows a run; null without one.
  const std::shared_ptr<html::HtmlReport>& report() const { return report_; }
  /// Writes the checkpoint before the first step. Throws CheckpointError when it cannot be written, so that the user
  /// learns of a problem before the training.
  void save_first(const TrainingState& state);
  /// Writes the weights before the first step into the directory, for a second fit, which may be made by another
  /// process. Throws CheckpointError when that fails.
  void save_start(const TrainingState& start);
  /// Reads them. Throws CheckpointError when that fails.
  TrainingState load_start();
  /// Whether the newest checkpoint holds that state.
  bool has_saved(const TrainingState& state) const { return store_ && saved_ == position_of(state); }
  /// Whether the newest checkpoint holds that state or a later one.
  bool has_saved_since(const TrainingState& state) const {
    return store_ && std::get<0>(saved_) >= state.progress.micro_step;
  }

 private:
  // Two states of a run that differ, differ in their batches, in the epoch, or in what guards and others remember.
  using SavedPosition = std::tuple<std::int64_t, Index, std::map<std::string, std::vector<double>>>;
  static SavedPosition position_of(const TrainingState& state) {
    return {state.progress.micro_step, state.progress.epoch, state.guards};
  }
  std::string run_name() const;
  void sync_log(std::int64_t step);
  void write_report(std::int64_t step, bool is_over);

  const Setup& setup_;
  Desk& desk_;
  PinnedDirectory directory_;  // that of the run
  StoppableFiles files_;
  PinnedFiles log_files_{directory_};
  const Stop& stop_;
  std::unique_ptr<CheckpointStore> store_;
  std::shared_ptr<MetricsLog> log_;
  std::shared_ptr<html::HtmlReport> report_;
  double report_time_ = 0;          // when the next report is due
  std::filesystem::path made_dir_;  // the directory that make_directory made; empty without
  // Step, epoch and time of the last attempt to save, from which due() counts.
  std::int64_t tried_step_ = 0;
  Index tried_epoch_ = 0;
  double tried_time_ = 0;
  SavedPosition saved_{};  // of the newest checkpoint
};

}  // namespace handrail::train
