#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace handrail::train {

/// The system calls that checkpoints and logs are written with. Each does what the POSIX call of its name does, and
/// returns -1 with errno set on failure. Tests override them to make a call fail. Private: not installed.
class FileSystem {
 public:
  FileSystem() = default;
  FileSystem(const FileSystem&) = delete;
  FileSystem& operator=(const FileSystem&) = delete;
  virtual ~FileSystem() = default;

  virtual int open(const char* path, int flags, mode_t mode);
  virtual int status(int file, struct stat& status);
  virtual ssize_t read(int file, void* bytes, std::size_t count);
  virtual ssize_t write(int file, const void* bytes, std::size_t count);
  /// Writes what is buffered of a file or directory through to the device.
  virtual int sync(int file);
  virtual int close(int file);
  virtual int truncate(int file, off_t length);
  virtual int rename(const char* from, const char* to);
  virtual int unlink(const char* path);
  virtual int mkdir(const char* path, mode_t mode);
  /// Takes an exclusive lock on the file without waiting, and holds it until the file is closed. Fails with
  /// EWOULDBLOCK when another open file holds the lock.
  virtual int lock(int file);
  /// Appends the names of the entries of a directory to `names`, in any order, without "." and "..".
  virtual int list(const char* directory, std::vector<std::string>& names);

 protected:
  /// Does what list() does for a directory that is open, and closes it.
  static int list_open(int directory, std::vector<std::string>& names);
};

/// A file descriptor that is closed at the end of the scope. For files whose close cannot lose data: errors of the
/// close are ignored. A negative descriptor, of an open that failed, is not closed.
class OpenFile {
 public:
  OpenFile(FileSystem& files, int file) : files_(files), file_(file) {}
  ~OpenFile() {
    if (file_ >= 0) files_.close(file_);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  int get() const { return file_; }
  /// Leaves the descriptor, and the duty to close it, to the caller.
  int release() { return std::exchange(file_, -1); }

 private:
  FileSystem& files_;
  int file_;
};

/// The file system of the operating system.
FileSystem& posix_file_system();

/// The path from the root, so that it outlives a change of the working directory; the path as it is when the working
/// directory was deleted.
std::filesystem::path absolute_path(const std::filesystem::path& path);

/// Opens a file, again as long as a signal interrupts the call. Returns the descriptor, or -1 with errno set.
int open_file(FileSystem& files, const std::filesystem::path& path, int flags, mode_t mode = 0);

/// Writes the bytes, in several calls where necessary. Returns how many were written: fewer than bytes.size() when a
/// call fails, with errno set.
std::size_t write_all(FileSystem& files, int file, std::string_view bytes);

/// The system's description of errno.
std::string errno_text();

/// Replaces the file at `path` by the pieces, one after another. At any moment, even if the machine stops, the path
/// names either the whole old file or the whole new one: the pieces go to a temporary file in the same directory, which
/// is then renamed. An error removes the temporary file; a process that is killed leaves it behind.
/// Throws CheckpointError, starting with `who` and naming path and cause. When only the sync of the directory failed,
/// the new file is in place and the message says so.
void write_file(FileSystem& files, const std::filesystem::path& path, std::span<const std::string_view> pieces,
                const std::string& who);
/// Whether write_file gives names like this one to its temporary files for a file called `target`.
bool is_temporary_name(std::string_view name, std::string_view target);

/// The beginning of a file.
struct FileStart {
  std::string bytes;
  std::uint64_t file_size;  // of the whole file, in bytes
};
/// Reads the first bytes of a regular file, at most `max_bytes`. Throws CheckpointError, starting with `who`, which
/// should name the file, when it cannot be opened or read or is not a regular file.
FileStart read_file(FileSystem& files, const std::filesystem::path& path, const std::string& who,
                    std::uint64_t max_bytes = std::numeric_limits<std::uint64_t>::max());

/// The names of the entries of a directory, in any order, without "." and "..". Throws CheckpointError, starting with
/// `who`, when the directory cannot be read.
std::vector<std::string> list_directory(FileSystem& files, const std::filesystem::path& directory,
                                        const std::string& who);
/// Makes a directory for its owner alone, mode 0700 less the umask, and syncs the one above it, so that the new name
/// survives a stop of the machine. Returns false when something of that name exists already. Throws CheckpointError,
/// starting with `who`, on any other failure.
bool make_directory(FileSystem& files, const std::filesystem::path& path, const std::string& who);
/// Makes a directory and those above it where they are missing. Throws as make_directory does.
void make_directories(FileSystem& files, const std::filesystem::path& path, const std::string& who);

}  // namespace handrail::train
