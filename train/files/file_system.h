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

/// The system calls that checkpoints are made with, with the system's conventions: -1 and errno on
/// failure. Tests override them to make one fail. Not installed.
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
  /// Of a file or of a directory, down to the device.
  virtual int sync(int file);
  virtual int close(int file);
  virtual int truncate(int file, off_t length);
  virtual int rename(const char* from, const char* to);
  virtual int unlink(const char* path);
  virtual int mkdir(const char* path, mode_t mode);
  /// Takes the lock of the file for as long as it is open; EWOULDBLOCK when another has it.
  virtual int lock(int file);
  /// Appends the names in a directory, in no order, without "." and "..".
  virtual int list(const char* directory, std::vector<std::string>& names);
};

/// A descriptor that is closed with the scope, for files whose close cannot lose anything.
class OpenFile {
 public:
  OpenFile(FileSystem& files, int file) : files_(files), file_(file) {}
  ~OpenFile() {
    if (file_ >= 0) files_.close(file_);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  int get() const { return file_; }
  int release() { return std::exchange(file_, -1); }

 private:
  FileSystem& files_;
  int file_;
};

/// The real one.
FileSystem& posix_file_system();

/// open, again when a signal interrupts it.
int open_file(FileSystem& files, const std::filesystem::path& path, int flags, mode_t mode = 0);

/// Writes the bytes, in several calls if need be. How many got there: fewer when the system refuses, errno tells why.
std::size_t write_all(FileSystem& files, int file, std::string_view bytes);

// `who` starts the message of every error, which is a CheckpointError with path and cause.

/// The text of errno.
std::string errno_text();

/// Writes the pieces, one after another, as the file at `path`, replacing what was there: at any moment,
/// even if the machine stops, that is the old file or the new one, whole. It goes through a temporary
/// file in the same directory, which an error removes; a process killed on the way leaves it behind.
void write_file(FileSystem& files, const std::filesystem::path& path, std::span<const std::string_view> pieces,
                const std::string& who);
/// Whether write_file gave that name to a temporary file for a file called `target`.
bool is_temporary_name(std::string_view name, std::string_view target);

struct FileStart {
  std::string bytes;
  std::uint64_t file_size;
};
/// The first bytes of a regular file, at most so many.
FileStart read_file(FileSystem& files, const std::filesystem::path& path, const std::string& who,
                    std::uint64_t most = std::numeric_limits<std::uint64_t>::max());

/// The names in it.
std::vector<std::string> list_directory(FileSystem& files, const std::filesystem::path& directory,
                                        const std::string& who);
/// Makes a directory, to stay; false when something of that name is there already.
bool make_directory(FileSystem& files, const std::filesystem::path& path, const std::string& who);
/// Makes it and those above it where they are missing.
void make_directories(FileSystem& files, const std::filesystem::path& path, const std::string& who);

}  // namespace handrail::train
