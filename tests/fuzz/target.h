#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include <handrail/core/error.h>

namespace fuzz {

/// Something that reads files which nobody vouches for. A program has one, and runs it on many inputs:
/// libfuzzer.cpp on those that libFuzzer makes up, replay.cpp on the files beside it.
struct Target {
  /// Reads the bytes as a file and checks whatever was read. A handrail::Error is a proper answer, any
  /// other exception a finding.
  void (*read)(std::string_view bytes);
  /// Makes checksums right again after a mutation, so that they do not hide what is behind them.
  void (*mend)(std::string& bytes) = nullptr;
  /// The largest piece of memory that `read` may ask for: so much, and more by the size of the input.
  struct {
    std::size_t fixed, per_byte;
  } memory;
};
extern const Target target;

/// What the target makes of the input: the text of its error; nothing when it reads it. Throws on a
/// finding; a request for too much memory ends the program where it is made.
std::optional<std::string> answer(std::string_view bytes);

/// A finding when it does not hold.
inline void require(bool holds, const char* what) {
  if (!holds) throw std::logic_error(what);
}

/// A file that is only in memory, for readers that want a path.
class MemoryFile {
 public:
  MemoryFile();
  ~MemoryFile();
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  /// Replaces what is in it; its path.
  const std::filesystem::path& write(std::string_view bytes);

 private:
  int file_;
  std::filesystem::path path_;
};

}  // namespace fuzz
