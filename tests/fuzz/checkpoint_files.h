#pragma once

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include <handrail/train/checkpoints/internal/checkpoint_codec.h>
#include <handrail/train/files/file_system.h>

// For the targets that read checkpoints and weights.

namespace fuzz {

/// One file in memory, whatever the path.
class OneFile : public handrail::train::FileSystem {
 public:
  explicit OneFile(std::string_view content = {}) : bytes(content) {}

  std::string bytes;

  int open(const char*, int flags, mode_t) override {
    next_ = 0;
    if ((flags & O_CREAT) != 0) bytes.clear();
    return 1;
  }
  int status(int, struct stat& status) override {
    status.st_mode = S_IFREG;
    status.st_size = static_cast<off_t>(bytes.size());
    return 0;
  }
  ssize_t read(int, void* out, std::size_t count) override {
    count = std::min(count, bytes.size() - next_);
    std::memcpy(out, bytes.data() + next_, count);
    next_ += count;
    return static_cast<ssize_t>(count);
  }
  ssize_t write(int, const void* data, std::size_t count) override {
    bytes.append(static_cast<const char*>(data), count);
    return static_cast<ssize_t>(count);
  }
  int sync(int) override { return 0; }
  int close(int) override { return 0; }
  int rename(const char*, const char*) override { return 0; }
  int unlink(const char*) override { return 0; }

 private:
  std::size_t next_ = 0;
};

inline std::string file_of(const std::vector<handrail::train::Section>& sections) {
  std::string file = handrail::train::container_header(sections, 0);
  for (const auto& section : sections) file += section.bytes;
  return file;
}

/// The file with one section replaced: the first byte of the input says which, the others are its content.
inline std::string with_section(std::vector<handrail::train::Section> sections, std::string_view input) {
  if (!input.empty()) sections[static_cast<unsigned char>(input[0]) % sections.size()].bytes = input.substr(1);
  return file_of(sections);
}

}  // namespace fuzz
