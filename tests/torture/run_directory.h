#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

#include <handrail/train/checkpoints/internal/retention.h>

// What the programs that torture runs look at in a directory.

/// The bytes of a file; none when there is no such file.
inline std::string bytes_of(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// The directory of the run "run" in there that has a checkpoint; none when it was killed before.
inline std::optional<std::filesystem::path> run_in(const std::filesystem::path& dir) {
  std::optional<std::filesystem::path> found;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(dir / "run", none))
    if (entry.is_directory(none) && !handrail::train::list_checkpoints(entry.path()).empty()) found = entry.path();
  return found;
}

/// The number of a checkpoint with that path; 0 for another file. Takes no memory.
inline std::int64_t number_of(const std::filesystem::path& path) {
  const std::string_view text = path.native();
  return handrail::train::checkpoint_sequence(text.substr(text.rfind('/') + 1)).value_or(0);
}
