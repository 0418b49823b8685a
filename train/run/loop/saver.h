#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>

#include <handrail/train/checkpoints/checkpoint_store.h>
#include <handrail/train/report/internal/metrics_log.h>
#include <handrail/train/run/loop/stop.h>

namespace handrail::train {

/// The directory of a run: its checkpoints and metrics.csv. What cannot be written is reported, and does not end the
/// training.
class Saver {
 public:
  Saver(const Setup& setup, Desk& desk, Stop& stop) : setup_(setup), desk_(desk), files_(stop), stop_(stop) {}

  /// Makes a new directory when checkpoints or metrics.csv are to be written.
  void make_directory();
  /// Takes the directory of a run that is resumed; open_log then goes on with the first `length` bytes of its
  /// metrics.csv.
  void take_directory(const std::filesystem::path& run_dir, std::int64_t resumed_from);
  void open_log(std::uint64_t length);
  /// Of a run that ended before its first step nothing is left behind.
  void discard_directory();
  /// From here on due() counts, from a state that is saved or that it makes no sense to save.
  void start(const TrainingState& state);

  bool has_checkpoints() const { return store_ != nullptr; }
  std::uint64_t log_length() const { return log_ ? log_->length() : 0; }

  /// Whether steps, epochs or time ask for a checkpoint.
  bool due(const Progress& at) const;
  /// No checkpoint is made of a state that is not worth it: the next one is due later.
  void note_attempt(const Progress& at);
  /// Writes a checkpoint of the state. A failure is reported, and tried again when the next one is due. Returns whether
  /// it was written.
  bool save(const TrainingState& state, bool is_best);
  /// Before the first step. Throws CheckpointError, so that what stands in the way of checkpoints is known now.
  void save_first(const TrainingState& state);
  /// Whether the newest checkpoint is of that state.
  bool has_saved(const TrainingState& state) const { return store_ && saved_ == position_of(state); }

 private:
  // Batches, epochs and evaluations can each be what a state is further than the newest checkpoint.
  using SavedPosition = std::tuple<std::int64_t, Index, std::int64_t>;
  static SavedPosition position_of(const TrainingState& state);
  std::string run_name() const;
  void sync_log(std::int64_t step);

  const Setup& setup_;
  Desk& desk_;
  StoppableFiles files_;
  const Stop& stop_;
  std::unique_ptr<CheckpointStore> store_;
  std::shared_ptr<MetricsLog> log_;
  std::filesystem::path made_dir_;  // by this run
  std::int64_t tried_step_ = 0;     // to save; so of time and epoch
  Index tried_epoch_ = 0;
  double tried_time_ = 0;
  SavedPosition saved_{};  // of the newest checkpoint there is
};

}  // namespace handrail::train
