#pragma once

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
/// When the directory was deleted, and only then, its path means what is made there anew. Private: not installed.
class PinnedFiles : public FileSystem {
 public:
  explicit PinnedFiles(PinnedDirectory& directory) : directory_(directory) {}

  int open(const char* path, int flags, mode_t mode) override;
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
  bool is_pinned(std::string_view path) const { return path == directory_.path(); }

  PinnedDirectory& directory_;
};

}  // namespace handrail::train
