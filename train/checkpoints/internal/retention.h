#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace handrail::train {

class FileSystem;                 // the system calls, which tests replace
FileSystem& posix_file_system();  // the real ones

struct ExistingCheckpoint {
  std::int64_t sequence;
  bool is_best = false;  // was the best when it was saved
};
/// The sequence numbers to remove, from old to new. Stay: the newest `keep_last`, the newest of those
/// marked as best, and the one this run was resumed from. `existing` may have any order.
/// Throws OptionError unless keep_last >= 1.
std::vector<std::int64_t> plan_retention(std::span<const ExistingCheckpoint> existing, std::int64_t keep_last,
                                         std::optional<std::int64_t> resumed_from = {});

/// The number that these decimal digits are, all of them and at most 18, which leaves room to count on.
std::optional<std::int64_t> sequence_in(std::string_view digits);
/// checkpoint-000012.hrc
std::string checkpoint_name(std::int64_t sequence);
/// The number in such a name; nothing for any other name.
std::optional<std::int64_t> checkpoint_sequence(std::string_view name);

struct CheckpointFile {
  std::int64_t sequence;
  std::filesystem::path path;
};
/// The checkpoints in a directory from old to new, by number: times are not looked at. Other files are
/// passed over. Throws CheckpointError when the directory cannot be read.
std::vector<CheckpointFile> list_checkpoints(const std::filesystem::path& directory,
                                             FileSystem& files = posix_file_system());

}  // namespace handrail::train
