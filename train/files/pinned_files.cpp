#include <handrail/train/files/pinned_files.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

namespace handrail::train {

void PinnedDirectory::pin(std::string path) {
  unpin();
  path_ = std::move(path);
  file_ = open_file(posix_file_system(), path_, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

void PinnedDirectory::unpin() {
  if (file_ >= 0) ::close(std::exchange(file_, -1));
}

int PinnedDirectory::descriptor() const {
  struct stat status {};
  // A failure to ask says nothing of a deletion: the path must not be used then, as a link may have taken its place.
  const bool is_deleted = file_ >= 0 && ::fstat(file_, &status) == 0 && status.st_nlink == 0;
  return is_deleted ? -1 : file_;
}

PinnedFiles::Place PinnedFiles::place_of(const char* path) const {
  const std::string_view whole(path), directory = directory_.path();
  const bool is_within = !directory.empty() && whole.size() > directory.size() + 1 && whole.starts_with(directory) &&
                         whole[directory.size()] == '/' &&
                         whole.find('/', directory.size() + 1) == std::string_view::npos;
  const int descriptor = is_within || is_pinned(whole) ? directory_.descriptor() : -1;
  if (descriptor < 0) return {AT_FDCWD, path};
  return {descriptor, is_within ? path + directory.size() + 1 : "."};
}

bool PinnedFiles::may_change() const {
  if (owner_ == ::getpid()) return true;
  errno = EPERM;
  return false;
}

int PinnedFiles::open(const char* path, int flags, mode_t mode) {
  if ((flags & O_CREAT) != 0 && !may_change()) return -1;
  const Place place = place_of(path);
  return ::openat(place.directory, place.name, flags, mode);
}

ssize_t PinnedFiles::write(int file, const void* bytes, std::size_t count) {
  return may_change() ? FileSystem::write(file, bytes, count) : -1;
}

int PinnedFiles::truncate(int file, off_t length) { return may_change() ? FileSystem::truncate(file, length) : -1; }

int PinnedFiles::rename(const char* from, const char* to) {
  if (!may_change()) return -1;
  const Place old = place_of(from), now = place_of(to);
  return ::renameat(old.directory, old.name, now.directory, now.name);
}

int PinnedFiles::unlink(const char* path) {
  if (!may_change()) return -1;
  const Place place = place_of(path);
  return ::unlinkat(place.directory, place.name, 0);
}

int PinnedFiles::mkdir(const char* path, mode_t mode) {
  if (!may_change()) return -1;
  const int result = FileSystem::mkdir(path, mode);
  if (result == 0 && is_pinned(path)) directory_.pin(path);
  return result;
}

int PinnedFiles::list(const char* directory, std::vector<std::string>& names) {
  const int descriptor = is_pinned(directory) ? directory_.descriptor() : -1;
  if (descriptor < 0) return FileSystem::list(directory, names);
  // A descriptor of its own, because reading a directory moves the position of the open file.
  const int file = ::openat(descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  return file < 0 ? -1 : list_open(file, names);
}

}  // namespace handrail::train
