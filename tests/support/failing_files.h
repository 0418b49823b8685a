#pragma once

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include <handrail/train/file_system.h>

/// The real file system, but the n-th of the calls fails, from 1, or that and all after it.
class FailingFiles : public handrail::train::FileSystem {
 public:
  explicit FailingFiles(int nth = std::numeric_limits<int>::max(), bool from_then_on = false, int error = ENOSPC)
      : nth_(nth), from_then_on_(from_then_on), error_(error) {}

  bool failed() const { return calls_ >= nth_; }
  std::size_t most_written = std::numeric_limits<std::size_t>::max();  // by one call
  int interruptions = 0;                                               // of reads and writes, to come
  std::string failing;                                                 // "unlink", say: fails always

  int open(const char* path, int flags, mode_t mode) override {
    return fails("open") ? -1 : FileSystem::open(path, flags, mode);
  }
  int status(int file, struct stat& status) override { return fails("status") ? -1 : FileSystem::status(file, status); }
  ssize_t read(int file, void* bytes, std::size_t count) override {
    return interrupted() || fails("read") ? -1 : FileSystem::read(file, bytes, count);
  }
  ssize_t write(int file, const void* bytes, std::size_t count) override {
    return interrupted() || fails("write") ? -1 : FileSystem::write(file, bytes, std::min(count, most_written));
  }
  int sync(int file) override { return fails("sync") ? -1 : FileSystem::sync(file); }
  int close(int file) override {
    FileSystem::close(file);
    return fails("close") ? -1 : 0;
  }
  int rename(const char* from, const char* to) override { return fails("rename") ? -1 : FileSystem::rename(from, to); }
  int unlink(const char* path) override { return fails("unlink") ? -1 : FileSystem::unlink(path); }
  int mkdir(const char* path, mode_t mode) override { return fails("mkdir") ? -1 : FileSystem::mkdir(path, mode); }
  int lock(int file) override { return fails("lock") ? -1 : FileSystem::lock(file); }
  int list(const char* directory, std::vector<std::string>& names) override {
    return fails("list") ? -1 : FileSystem::list(directory, names);
  }

 private:
  bool fails(const std::string& call) {
    ++calls_;
    errno = error_;
    return calls_ == nth_ || (from_then_on_ && calls_ > nth_) || call == failing;
  }
  bool interrupted() {
    errno = EINTR;
    return interruptions > 0 && interruptions-- > 0;
  }

  int nth_;
  bool from_then_on_;
  int error_;
  int calls_ = 0;
};

/// The names in a directory.
inline std::set<std::string> names_in(const std::filesystem::path& directory) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(directory))
    names.insert(entry.path().filename().string());
  return names;
}
