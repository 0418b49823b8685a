#include <handrail/train/files/file_system.h>

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <memory>
#include <system_error>

#include <handrail/core/error.h>

namespace handrail::train {
namespace {

// Larger reads and writes take several calls: some systems refuse a count that does not fit an int.
constexpr std::size_t max_bytes_per_call = std::size_t{1} << 30;

template <class Call>
auto retry_interrupted(Call&& call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

// While it lives, a write above the size that a file may have (RLIMIT_FSIZE) fails with EFBIG, as on a full disk, and
// does not end the process by SIGXFSZ, which goes to the thread that writes.
class NoSizeSignal {
 public:
  NoSizeSignal() {
    sigemptyset(&signal_);
    sigaddset(&signal_, SIGXFSZ);
    pthread_sigmask(SIG_BLOCK, &signal_, &before_);
  }
  ~NoSizeSignal() {
    const int error = errno;
    sigset_t pending;
    int taken = 0;
    if (!sigismember(&before_, SIGXFSZ) && sigpending(&pending) == 0 && sigismember(&pending, SIGXFSZ))
      sigwait(&signal_, &taken);
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
    errno = error;
  }
  NoSizeSignal(const NoSizeSignal&) = delete;
  NoSizeSignal& operator=(const NoSizeSignal&) = delete;

 private:
  sigset_t signal_, before_;
};

// A new file next to `target`. It is deleted at the end of the scope unless rename_to has succeeded.
class Temporary {
 public:
  Temporary(FileSystem& files, const std::filesystem::path& target, const std::string& who)
      : files_(files), file_(files, create(target)) {
    if (file_.get() < 0) fail<CheckpointError>(who, ": cannot make '", path_.string(), "': ", errno_text());
  }
  ~Temporary() {
    if (file_.get() >= 0) files_.close(file_.release());
    if (!path_.empty()) files_.unlink(path_.c_str());
  }
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;
  int file() const { return file_.get(); }
  const std::filesystem::path& path() const { return path_; }
  // An interrupted close has released the descriptor all the same.
  bool close() { return files_.close(file_.release()) == 0 || errno == EINTR; }
  bool rename_to(const std::filesystem::path& target) {
    if (files_.rename(path_.c_str(), target.c_str()) != 0) return false;
    path_.clear();
    return true;
  }

 private:
  // A killed process with the same process id may have left a file behind: then the next name is tried.
  int create(const std::filesystem::path& target) {
    int file = -1;
    for (int attempt = 0; attempt < 1000; ++attempt) {
      path_ = target.parent_path() / concat('.', target.filename().string(), ".tmp-", getpid(), '-', attempt);
      file = open_file(files_, path_, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
      if (file >= 0 || errno != EEXIST) break;
    }
    return file;
  }

  FileSystem& files_;
  std::filesystem::path path_;  // before file_, whose initialiser sets it
  OpenFile file_;
};

std::filesystem::path directory_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : ".";
}

// Writes the names in a directory through to the device.
bool sync_names_in(FileSystem& files, const std::filesystem::path& directory) {
  const OpenFile opened(files, open_file(files, directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  // EINVAL: this file system cannot sync directories.
  return opened.get() >= 0 && (files.sync(opened.get()) == 0 || errno == EINVAL);
}

void sync_directory(FileSystem& files, const std::filesystem::path& directory, const std::string& who) {
  if (!sync_names_in(files, directory))
    fail<CheckpointError>(who, ": cannot sync the directory '", directory.string(), "': ", errno_text(),
                          "; what was written is in place, but may be lost if the machine stops");
}

}  // namespace

int FileSystem::open(const char* path, int flags, mode_t mode) { return ::open(path, flags, mode); }
int FileSystem::status(int file, struct stat& status) { return ::fstat(file, &status); }
ssize_t FileSystem::read(int file, void* bytes, std::size_t count) { return ::read(file, bytes, count); }
ssize_t FileSystem::write(int file, const void* bytes, std::size_t count) { return ::write(file, bytes, count); }
int FileSystem::sync(int file) {
#ifdef F_FULLFSYNC
  return ::fcntl(file, F_FULLFSYNC);  // fsync of macOS stops at the cache of the drive
#else
  return ::fsync(file);
#endif
}
int FileSystem::close(int file) { return ::close(file); }
int FileSystem::truncate(int file, off_t length) { return ::ftruncate(file, length); }
int FileSystem::rename(const char* from, const char* to) { return ::rename(from, to); }
int FileSystem::unlink(const char* path) { return ::unlink(path); }
int FileSystem::mkdir(const char* path, mode_t mode) { return ::mkdir(path, mode); }
int FileSystem::lock(int file) { return ::flock(file, LOCK_EX | LOCK_NB); }
int FileSystem::list(const char* directory, std::vector<std::string>& names) {
  const int file = ::open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  return file < 0 ? -1 : list_open(file, names);
}
int FileSystem::list_open(int directory, std::vector<std::string>& names) {
  // Not std::filesystem::directory_iterator: it terminates the program when there is no memory.
  const std::unique_ptr<DIR, int (*)(DIR*)> opened(::fdopendir(directory), ::closedir);
  if (!opened) {
    const int error = errno;
    ::close(directory);
    errno = error;
    return -1;
  }
  errno = 0;
  while (const dirent* entry = ::readdir(opened.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
    errno = 0;
  }
  return errno == 0 ? 0 : -1;
}

FileSystem& posix_file_system() {
  static FileSystem files;
  return files;
}

std::filesystem::path absolute_path(const std::filesystem::path& path) {
  std::error_code problem;
  std::filesystem::path whole = std::filesystem::absolute(path, problem);
  return problem ? path : whole;
}

int open_file(FileSystem& files, const std::filesystem::path& path, int flags, mode_t mode) {
  return retry_interrupted([&] { return files.open(path.c_str(), flags, mode); });
}

std::string errno_text() { return std::error_code(errno, std::generic_category()).message(); }

std::size_t write_all(FileSystem& files, int file, std::string_view bytes) {
  const NoSizeSignal mask;
  std::size_t done = 0;
  while (done < bytes.size()) {
    errno = EIO;  // stays when write returns 0 and sets no error
    const ssize_t count = retry_interrupted(
        [&] { return files.write(file, bytes.data() + done, std::min(bytes.size() - done, max_bytes_per_call)); });
    if (count <= 0) break;
    done += static_cast<std::size_t>(count);
  }
  return done;
}

void write_file(FileSystem& files, const std::filesystem::path& path, std::span<const std::string_view> pieces,
                const std::string& who) {
  std::size_t total = 0, done = 0;
  for (const std::string_view piece : pieces) total += piece.size();
  Temporary temporary(files, path, who);
  const auto give_up = [&](const char* what) {
    fail<CheckpointError>(who, ": cannot ", what, " '", temporary.path().string(), "': ", errno_text(), ", after ",
                          done, " of ", total, " bytes; what was at that path is unchanged");
  };
  for (const std::string_view piece : pieces) {
    const std::size_t count = write_all(files, temporary.file(), piece);
    done += count;
    if (count < piece.size()) give_up("write");
  }
  // A failed sync is not repeated: the system may have dropped the data, and a second sync would report success.
  if (files.sync(temporary.file()) != 0) give_up("sync");
  if (!temporary.close()) give_up("close");
  if (!temporary.rename_to(path)) give_up("rename");
  sync_directory(files, directory_of(path), who);
}

bool is_temporary_name(std::string_view name, std::string_view target) {
  return name.starts_with(concat('.', target, ".tmp-"));
}

std::vector<std::string> list_directory(FileSystem& files, const std::filesystem::path& directory,
                                        const std::string& who) {
  std::vector<std::string> names;
  const auto list = [&] {
    names.clear();
    return files.list(directory.c_str(), names);
  };
  if (retry_interrupted(list) != 0)
    fail<CheckpointError>(who, ": cannot read the directory '", directory.string(), "': ", errno_text());
  return names;
}

FileStart read_file(FileSystem& files, const std::filesystem::path& path, const std::string& who,
                    std::uint64_t max_bytes) {
  // Without O_NONBLOCK the open of a pipe waits for a writer.
  const OpenFile opened(files, open_file(files, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  struct stat status {};
  if (opened.get() < 0 || files.status(opened.get(), status) != 0)
    fail<CheckpointError>(who, ": cannot open the file: ", errno_text());
  if (!S_ISREG(status.st_mode)) fail<CheckpointError>(who, ": want a regular file; got a directory, pipe or device");
  FileStart start{.bytes = {}, .file_size = static_cast<std::uint64_t>(status.st_size)};
  start.bytes.resize(std::min(start.file_size, max_bytes));
  for (std::size_t done = 0; done < start.bytes.size();) {
    const std::size_t count = std::min(start.bytes.size() - done, max_bytes_per_call);
    const ssize_t got = retry_interrupted([&] { return files.read(opened.get(), start.bytes.data() + done, count); });
    if (got <= 0)
      fail<CheckpointError>(who, ": cannot read byte ", done, " of ", start.file_size, ": ",
                            got < 0 ? errno_text() : "the file became shorter while it was read");
    done += static_cast<std::size_t>(got);
  }
  return start;
}

bool make_directory(FileSystem& files, const std::filesystem::path& path, const std::string& who) {
  if (files.mkdir(path.c_str(), 0700) == 0) {
    sync_directory(files, directory_of(path), who);
    return true;
  }
  if (errno != EEXIST) fail<CheckpointError>(who, ": cannot make the directory '", path.string(), "': ", errno_text());
  sync_names_in(files, directory_of(path));
  return false;
}

void make_directories(FileSystem& files, const std::filesystem::path& path, const std::string& who) {
  // A directory that exists is not made: mkdir may be forbidden where only looking up names is allowed.
  std::error_code ignored;
  if (path.empty() || std::filesystem::is_directory(path, ignored)) {
    // A process killed between mkdir and sync leaves a directory that a stop of the machine would still lose.
    sync_names_in(files, directory_of(path));
  } else {
    make_directories(files, directory_of(path), who);
    make_directory(files, path, who);
  }
}

}  // namespace handrail::train
