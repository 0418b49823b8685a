#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <handrail/train/checkpoints/checkpoint.h>

namespace handrail::train {

class OpenFile;

/// What ends errors of users who did not ask for checkpoints: they are on by default.
inline constexpr const char* checkpoints_opt_out = "; choose another directory, or set .checkpoints = off";

/// What load_newest found.
struct LoadedCheckpoint {
  std::filesystem::path path;
  std::int64_t sequence;
  TrainingState state;
  std::vector<std::string> skipped = {};  // newer ones that cannot be loaded: path and cause
};

/// The checkpoints of one run, in a directory that no other store writes to meanwhile, in this process
/// or another: a lock in it, held while the store lives, sees to that. One thread at a time.
class CheckpointStore {
 public:
  static constexpr const char* lock_name = ".lock";

  /// Makes the directory when it is missing, and removes what a killed process left half written.
  /// `resumed_from` is the number of a checkpoint there to keep. Throws CheckpointError when the
  /// directory cannot be written to or another store has it; OptionError unless keep_last >= 1.
  CheckpointStore(std::filesystem::path directory, std::int64_t keep_last,
                  std::optional<std::int64_t> resumed_from = {}, FileSystem& files = posix_file_system());
  ~CheckpointStore();
  CheckpointStore(const CheckpointStore&) = delete;
  CheckpointStore& operator=(const CheckpointStore&) = delete;

  /// Saves under the next number, one more than the newest there, then removes what need not stay;
  /// `is_best` says that no earlier state was better. Returns the path. Throws CheckpointError as
  /// save_checkpoint does, and then has removed nothing.
  std::filesystem::path save(const TrainingState& state, bool is_best);
  /// Makes the directory again, and takes its lock, when somebody has deleted it; returns whether that was so. Throws
  /// CheckpointError as the constructor does.
  bool remake();
  /// Why the last save could not remove an old file, or left one alone that it could not read; empty
  /// when all went well. The next save tries again.
  const std::string& rotation_problem() const { return rotation_problem_; }
  const std::filesystem::path& directory() const { return directory_; }

  /// The newest checkpoint that can be loaded; nothing when there are none. Takes no lock and changes
  /// nothing. Throws CheckpointError when there are some and none can be loaded, with the cause of each.
  static std::optional<LoadedCheckpoint> load_newest(const std::filesystem::path& directory,
                                                     FileSystem& files = posix_file_system());

 private:
  void take_lock();
  void remove_temporaries();
  void rotate();

  std::filesystem::path directory_;
  std::int64_t keep_last_;
  std::optional<std::int64_t> resumed_from_;
  FileSystem& files_;
  std::unique_ptr<OpenFile> lock_;
  std::string rotation_problem_;
};

/// Makes root/name/N with the next free number N, from 1, and returns it; processes that do so at the
/// same time get different ones. Names are 1 to 100 letters, digits, '_', '-' and '.', not starting with
/// '.': OptionError. Throws CheckpointError when the place cannot be written to.
std::filesystem::path new_run_dir(const std::filesystem::path& root, const std::string& name,
                                  FileSystem& files = posix_file_system());

}  // namespace handrail::train
