#pragma once

#include <sys/types.h>
#include <unistd.h>

#include <string>
#include <string_view>
#include <vector>

#include <handrail/train/files/file_system.h>

namespace handrail::train {

/// A directory that is named by its descriptor.
class PinnedDirectory {
 public:
  PinnedDirectory() = default;
  ~PinnedDirectory() { unpin(); }
  PinnedDirectory(const PinnedDirectory&) = delete;
  PinnedDirectory& operator=(const PinnedDirectory&) = delete;

  /// From here on the path means the directory that it names now. Its last part must not be a symbolic link. Without
  /// such a directory, none is pinned.
  void pin(std::string path);
  const std::string& path() const { return path_; }
  /// The descriptor; -1 when none is pinned or the directory was deleted.
  int descriptor() const;

 private:
  void unpin();

  std::string path_;
  int file_ = -1;
};

/// The system calls, but names in the pinned directory are looked up in that directory itself, whatever its path leads
/// to by now: the working directory may have changed, and a symbolic link may have taken the place of the directory.
/// When the directory was deleted, and only then, its path means what is made there anew. In a child that was forked
/// after the object was made, every call that would change a file fails with EPERM: the files belong to the parent.
/// Private: not installed.
class PinnedFiles : public FileSystem {
 public:
  explicit PinnedFiles(PinnedDirectory& directory) : directory_(directory), owner_(::getpid()) {}

  int open(const char* path, int flags, mode_t mode) override;
  ssize_t write(int file, const void* bytes, std::size_t count) override;
  int truncate(int file, off_t length) override;
  int rename(const char* from, const char* to) override;
  int unlink(const char* path) override;
  int mkdir(const char* path, mode_t mode) override;
  int list(const char* directory, std::vector<std::string>& names) override;

 private:
  // A path as the system calls take it: relative to a descriptor, which is AT_FDCWD outside of the pinned directory.
  struct Place {
    int directory;
    const char* name;
  };
  Place place_of(const char* path) const;
  // Whether this process may change files; sets errno when it may not.
  bool may_change() const;
  bool is_pinned(std::string_view path) const { return path == directory_.path(); }

  PinnedDirectory& directory_;
  pid_t owner_;
};

}  // namespace handrail::train
