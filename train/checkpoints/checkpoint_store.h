#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <handrail/train/checkpoints/checkpoint.h>

namespace handrail::train {

class FileLock;

/// The end of error messages about the directory of a run. Checkpoints are on by default, so that a user may not have
/// asked for them.
inline constexpr const char* checkpoints_opt_out = "; choose another directory, or set .checkpoints = off";

/// The result of CheckpointStore::load_newest.
struct LoadedCheckpoint {
  std::filesystem::path path;             // of its file
  std::int64_t sequence;                  // its number in the directory
  TrainingState state;                    // verified, but not compared with a model: see check_fits
  std::vector<std::string> skipped = {};  // path and cause of each newer checkpoint that cannot be loaded
};

/// The checkpoints of one run in its directory. While the store lives, it holds a lock in the directory, so that no
/// other store of this or another process writes there. One thread at a time may use a store.
class CheckpointStore {
 public:
  static constexpr const char* lock_name = ".lock";  // of the locked file in the directory, which names the process

  /// Makes the directory when it is missing, and removes incomplete files that a killed process left there.
  /// keep_last: the number of newest checkpoints that are kept. Throws CheckpointError when the directory cannot be
  /// written to or another store has its lock; OptionError unless keep_last >= 1.
  CheckpointStore(std::filesystem::path directory, std::int64_t keep_last, FileSystem& files = posix_file_system());
  ~CheckpointStore();
  CheckpointStore(const CheckpointStore&) = delete;
  CheckpointStore& operator=(const CheckpointStore&) = delete;

  /// Saves the state under the next number, one more than that of the newest checkpoint. Then removes the checkpoints
  /// that are not kept: see plan_retention. is_best: whether no earlier state was better. Returns the path. Throws
  /// CheckpointError as save_checkpoint does, and in a child process that was forked after the store was made; no
  /// checkpoint has been removed then.
  std::filesystem::path save(const TrainingState& state, bool is_best);
  /// From here on keeps the checkpoint of that number, from which the run was resumed, besides the newest.
  void keep(std::int64_t resumed_from) { resumed_from_ = resumed_from; }
  /// Makes the directory again and takes its lock if it was deleted. Returns whether it was. Throws CheckpointError
  /// when the directory cannot be made.
  bool remake();
  /// Why the last save could not remove an old checkpoint, or could not read whether it is the best; empty when there
  /// was no problem. The next save tries again.
  const std::string& rotation_problem() const { return rotation_problem_; }
  /// The directory as it was given to the constructor.
  const std::filesystem::path& directory() const { return directory_; }

  /// Loads the newest checkpoint that can be loaded at the first or second try. Returns nothing when the directory has
  /// no checkpoints. Takes no lock and changes nothing. Throws CheckpointError when there are checkpoints and none can
  /// be loaded; the error gives the cause of each.
  static std::optional<LoadedCheckpoint> load_newest(const std::filesystem::path& directory,
                                                     FileSystem& files = posix_file_system());

 private:
  void take_lock();
  void check_process() const;
  void remove_temporaries();
  void rotate();

  std::filesystem::path directory_;
  std::int64_t keep_last_;
  std::optional<std::int64_t> resumed_from_;
  FileSystem& files_;
  std::unique_ptr<FileLock> lock_;
  std::string rotation_problem_;
};

/// The rule for the name of a run, for error messages.
inline constexpr const char* run_name_rule = "1 to 100 letters, digits, '_', '-' and '.', not starting with '.'";
/// Whether the name obeys run_name_rule.
bool is_run_name(std::string_view name);
/// Makes any text a name that obeys run_name_rule: cuts it to 100 characters and replaces each that is not allowed by
/// '_'. An empty text becomes "run".
std::string to_run_name(std::string text);

/// Makes the directory root/name/N with the next free number N, from 1, and returns its path. Processes that do so at
/// the same time get different numbers. Throws OptionError unless is_run_name(name); CheckpointError when the directory
/// cannot be made.
std::filesystem::path new_run_dir(const std::filesystem::path& root, const std::string& name,
                                  FileSystem& files = posix_file_system());

}  // namespace handrail::train
