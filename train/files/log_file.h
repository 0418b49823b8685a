#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <handrail/train/files/file_system.h>

namespace handrail::train {

/// Throws CheckpointError when something other than a regular file is at the path of a log, such as a link, which would
/// have another file written to, or a pipe, which would block the run, and when the file cannot be opened. who: whose
/// log it is. remedy: what to do, such as "set metrics_csv to another path".
void check_log_path(FileSystem& files, const std::filesystem::path& path, const std::string& who,
                    const std::string& remedy);
/// Opens a log, which check_log_path has accepted, to append to it, and makes it when it is not there. The descriptor
/// is negative, with errno set, when that fails.
std::unique_ptr<OpenFile> open_to_append(FileSystem& files, const std::filesystem::path& path);
/// Whether a log is at the path: false, with errno set, when there is none or it cannot be opened.
bool is_log_there(FileSystem& files, const std::filesystem::path& path);

/// A file that a sink appends to. Every write is complete or leaves no trace, and reaches the file at once, so that
/// other programs can follow it. After check() nothing but std::bad_alloc is thrown: what cannot be written is lost,
/// and take_problem() says so once. Private: not installed.
class LogFile {
 public:
  /// who: the function that makes the sink, for messages.
  LogFile(std::string who, const std::filesystem::path& path, FileSystem& files = posix_file_system())
      : who_(std::move(who)), path_(absolute_path(path)), files_(files) {}

  /// Throws CheckpointError as check_log_path does.
  void check() const;
  /// Opens the file and makes it, with its directories, where it is missing. keep: whether what is in it stays.
  void open(bool keep);
  void close() { file_.reset(); }
  /// Makes the file again when it was deleted in the meantime, and returns whether that was so: what a file begins with
  /// has to be written again. To be called before a write.
  bool remake();
  bool is_open() const { return file_ != nullptr; }
  /// Appends the bytes, and returns whether that succeeded; does nothing when the file is not open.
  bool write(std::string_view bytes);
  /// The whole file; empty when it cannot be read.
  std::string read();
  /// Cuts the file to that many bytes.
  void cut(std::uint64_t length);
  /// Replaces what is in the file, and returns whether that succeeded. At any moment it is the old file or the new one.
  bool replace(std::string_view bytes);

  const std::filesystem::path& path() const { return path_; }
  /// Notes what could not be done, for take_problem().
  void note(const std::string& problem);
  /// The first problem since the file was opened, for the first caller; empty when there was none.
  std::string take_problem() { return std::exchange(problem_, {}); }

 private:
  bool make();
  void lose(const char* call);

  std::string who_;
  std::filesystem::path path_;
  FileSystem& files_;
  std::unique_ptr<OpenFile> file_;
  std::uint64_t length_ = 0;
  std::string problem_;
  bool has_noted_ = false;  // a problem since the file was opened
};

}  // namespace handrail::train
