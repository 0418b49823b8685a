#pragma once

#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <handrail/train/files/file_system.h>

/// A file system, the real one if no other is given, but the n-th of the calls fails, from 1, or that and
/// all after it, which is what a process that is killed there leaves behind.
class FailingFiles : public handrail::train::FileSystem {
 public:
  explicit FailingFiles(int nth = std::numeric_limits<int>::max(), bool from_then_on = false, int error = ENOSPC,
                        handrail::train::FileSystem& under = handrail::train::posix_file_system())
      : nth_(nth), from_then_on_(from_then_on), error_(error), under_(under) {}

  bool failed() const { return calls_ >= nth_; }
  const std::string& first_failed() const { return first_failed_; }    // the call: "write", say
  std::size_t most_written = std::numeric_limits<std::size_t>::max();  // by one call
  int interruptions = 0;                                               // of reads, writes and lists, to come
  int most_failures = std::numeric_limits<int>::max();                 // in a row; all is well after them
  std::string failing;                                                 // "unlink", say: fails always

  int open(const char* path, int flags, mode_t mode) override {
    return fails("open") ? -1 : under_.open(path, flags, mode);
  }
  int status(int file, struct stat& status) override { return fails("status") ? -1 : under_.status(file, status); }
  ssize_t read(int file, void* bytes, std::size_t count) override {
    return interrupted() || fails("read") ? -1 : under_.read(file, bytes, count);
  }
  ssize_t write(int file, const void* bytes, std::size_t count) override {
    return interrupted() || fails("write") ? -1 : under_.write(file, bytes, std::min(count, most_written));
  }
  int sync(int file) override { return fails("sync") ? -1 : under_.sync(file); }
  int close(int file) override {
    under_.close(file);
    return fails("close") ? -1 : 0;
  }
  int truncate(int file, off_t length) override { return fails("truncate") ? -1 : under_.truncate(file, length); }
  int rename(const char* from, const char* to) override { return fails("rename") ? -1 : under_.rename(from, to); }
  int unlink(const char* path) override { return fails("unlink") ? -1 : under_.unlink(path); }
  int mkdir(const char* path, mode_t mode) override { return fails("mkdir") ? -1 : under_.mkdir(path, mode); }
  int lock(int file) override { return fails("lock") ? -1 : under_.lock(file); }
  int list(const char* directory, std::vector<std::string>& names) override {
    return interrupted() || fails("list") ? -1 : under_.list(directory, names);
  }

 private:
  bool fails(const std::string& call) {
    ++calls_;
    errno = error_;
    if (calls_ == nth_) first_failed_ = call;
    return calls_ == nth_ || (from_then_on_ && calls_ > nth_ && calls_ - nth_ < most_failures) || call == failing;
  }
  bool interrupted() {
    errno = EINTR;
    return interruptions > 0 && interruptions-- > 0;
  }

  int nth_;
  bool from_then_on_;
  int error_;
  handrail::train::FileSystem& under_;
  int calls_ = 0;
  std::string first_failed_;
};

/// The names in a directory.
inline std::set<std::string> names_in(const std::filesystem::path& directory) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(directory))
    names.insert(entry.path().filename().string());
  return names;
}

/// No file of this process becomes longer than that while it lives: a write beyond it fails, as on a full disk.
class LimitedFileSize {
 public:
  explicit LimitedFileSize(rlim_t bytes) {
    std::signal(SIGXFSZ, SIG_DFL);  // which ends the process
    REQUIRE(getrlimit(RLIMIT_FSIZE, &before_) == 0);
    const rlimit now{bytes, before_.rlim_max};
    REQUIRE(setrlimit(RLIMIT_FSIZE, &now) == 0);
  }
  ~LimitedFileSize() {
    setrlimit(RLIMIT_FSIZE, &before_);
    sigset_t pending;
    sigpending(&pending);
    CHECK_FALSE(sigismember(&pending, SIGXFSZ));
  }
  LimitedFileSize(const LimitedFileSize&) = delete;
  LimitedFileSize& operator=(const LimitedFileSize&) = delete;

 private:
  rlimit before_{};
};
