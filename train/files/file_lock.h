#pragma once

#include <sys/types.h>

namespace handrail::train {

class FileSystem;

/// A file that is open as long as this process holds a lock on it. A child that is made by fork closes its copy at
/// once: otherwise it would hold the lock longer than the process that took it. Private: not installed.
class FileLock {
 public:
  /// Takes over an open file.
  FileLock(FileSystem& files, int file);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

  /// The process that took the lock.
  pid_t owner() const { return owner_; }
  /// Whether that is this process, and not the parent from which it was forked.
  bool is_ours() const;

 private:
  friend struct LocksInFork;
  void close();

  FileSystem& files_;
  int file_;
  pid_t owner_;
};

}  // namespace handrail::train
