#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace handrail::train {

class FileSystem;                 // the system calls; tests replace them
FileSystem& posix_file_system();  // those of the operating system

/// A checkpoint that is on the disk.
struct ExistingCheckpoint {
  std::int64_t sequence;
  bool is_best = false;  // whether it was the best when it was saved
};
/// Returns the sequence numbers of the checkpoints to remove, from old to new. Kept are the newest `keep_last`, the
/// newest one that is marked as best, and the one that the run was resumed from. `existing` may have any order. Throws
/// OptionError unless keep_last >= 1.
std::vector<std::int64_t> plan_retention(std::span<const ExistingCheckpoint> existing, std::int64_t keep_last,
                                         std::optional<std::int64_t> resumed_from = {});

/// The number that the text is, when it consists of 1 to 18 decimal digits; otherwise nothing. The limit leaves room
/// for larger numbers in 64 bits.
std::optional<std::int64_t> sequence_in(std::string_view digits);
/// The file name of a checkpoint: "checkpoint-000012.hrc" for 12.
std::string checkpoint_name(std::int64_t sequence);
/// The number in a file name that checkpoint_name returns; nothing for any other name.
std::optional<std::int64_t> checkpoint_sequence(std::string_view name);

/// A checkpoint file in a directory.
struct CheckpointFile {
  std::int64_t sequence;
  std::filesystem::path path;
};
/// The checkpoints in a directory, in the order of their numbers; the times of the files play no role. Other files are
/// ignored. Throws CheckpointError when the directory cannot be read.
std::vector<CheckpointFile> list_checkpoints(const std::filesystem::path& directory,
                                             FileSystem& files = posix_file_system());

}  // namespace handrail::train
