#include <handrail/train/files/log_file.h>

#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>

#include <handrail/core/error.h>

namespace handrail::train {
namespace {

// Without O_NONBLOCK the open of a pipe waits for a reader.
constexpr int log_flags = O_WRONLY | O_APPEND | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC;

}  // namespace

void check_log_path(FileSystem& files, const std::filesystem::path& path, const std::string& who,
                    const std::string& remedy) {
  const OpenFile file(files, open_file(files, path, log_flags));
  struct stat status {};
  const int error = file.get() < 0 || files.status(file.get(), status) != 0 ? errno : 0;
  if (error == ENOENT || (error == 0 && S_ISREG(status.st_mode))) return;
  const bool is_other = error == 0 || error == ELOOP || error == ENXIO || error == EISDIR;
  if (!is_other) fail<CheckpointError>(who, ": cannot open '", path.string(), "': ", errno_text());
  fail<CheckpointError>(who, ": want a regular file or none at '", path.string(),
                        "'; got a link, directory, pipe or device; ", remedy);
}

std::unique_ptr<OpenFile> open_to_append(FileSystem& files, const std::filesystem::path& path) {
  // No descriptor is left open when there is no memory for its owner.
  OpenFile opened(files, open_file(files, path, O_CREAT | log_flags, 0600));
  auto owner = std::make_unique<OpenFile>(files, opened.get());
  opened.release();
  return owner;
}

bool is_log_there(FileSystem& files, const std::filesystem::path& path) {
  return OpenFile(files, open_file(files, path, log_flags)).get() >= 0;
}

void LogFile::check() const { check_log_path(files_, path_, who_, "give it another path"); }

void LogFile::open(bool keep) {
  file_.reset();
  problem_.clear();
  has_noted_ = false;
  if (make() && !keep && length_ > 0) cut(0);
}

// Opens the file, which may be there, and returns whether that succeeded.
bool LogFile::make() {
  try {
    if (path_.has_parent_path()) make_directories(files_, path_.parent_path(), who_);
  } catch (const CheckpointError& error) {
    note(error.what());
    return false;
  }
  auto file = open_to_append(files_, path_);
  struct stat status {};
  if (file->get() < 0 || files_.status(file->get(), status) != 0) {
    lose("open");
    return false;
  }
  length_ = static_cast<std::uint64_t>(status.st_size);
  file_ = std::move(file);
  return true;
}

bool LogFile::remake() {
  struct stat status {};
  if (!is_open() || files_.status(file_->get(), status) != 0 || status.st_nlink > 0) return false;
  note(concat(who_, ": '", path_.string(), "' was deleted: what was in it is missing"));
  return make();
}

bool LogFile::write(std::string_view bytes) {
  if (!is_open()) return false;
  const std::size_t count = write_all(files_, file_->get(), bytes);
  if (count == bytes.size()) {
    length_ += count;
    return true;
  }
  const int error = errno;
  if (count > 0) files_.truncate(file_->get(), static_cast<off_t>(length_));
  errno = error;
  lose("write to");
  return false;
}

std::string LogFile::read() {
  try {
    return read_file(files_, path_, concat(who_, ": '", path_.string(), "'")).bytes;
  } catch (const CheckpointError& error) {
    note(error.what());
    return {};
  }
}

void LogFile::cut(std::uint64_t length) {
  if (!is_open()) return;
  if (files_.truncate(file_->get(), static_cast<off_t>(length)) != 0) return lose("cut");
  length_ = length;
}

bool LogFile::replace(std::string_view bytes) {
  if (!is_open()) return false;
  try {
    write_file(files_, path_, std::array{bytes}, who_);
  } catch (const CheckpointError& error) {
    note(error.what());
    return false;
  }
  auto file = open_to_append(files_, path_);
  if (file->get() < 0) {
    lose("open");
    return false;
  }
  file_ = std::move(file);
  length_ = bytes.size();
  return true;
}

void LogFile::note(const std::string& problem) {
  if (!has_noted_) problem_ = problem;
  has_noted_ = true;
}

void LogFile::lose(const char* call) {
  note(concat(who_, ": cannot ", call, " '", path_.string(), "': ", errno_text(),
              "; what it would have got is missing"));
}

}  // namespace handrail::train
