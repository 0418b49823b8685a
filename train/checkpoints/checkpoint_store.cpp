#include <handrail/train/checkpoints/checkpoint_store.h>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include <handrail/core/error.h>
#include <handrail/train/checkpoints/internal/retention.h>
#include <handrail/train/files/file_lock.h>
#include <handrail/train/files/file_system.h>

namespace handrail::train {
namespace {

constexpr std::size_t max_run_name = 100;  // characters

bool is_run_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
}

// A disk may fail to read a file once. The checkpoint before it would lose steps, and lines of metrics.csv.
TrainingState load_or_retry(const std::filesystem::path& path, FileSystem& files) {
  try {
    return load_checkpoint(path, files);
  } catch (const CheckpointError&) {
    return load_checkpoint(path, files);
  }
}

// Adds to an error of make() how to do without checkpoints.
template <class Make>
auto or_opt_out(Make&& make) {
  try {
    return make();
  } catch (const CheckpointError& error) {
    fail<CheckpointError>(error.what(), checkpoints_opt_out);
  }
}

}  // namespace

CheckpointStore::CheckpointStore(std::filesystem::path directory, std::int64_t keep_last, FileSystem& files)
    : directory_(std::move(directory)), keep_last_(keep_last), files_(files) {
  if (keep_last < 1) fail<OptionError>("CheckpointStore: want keep_last >= 1; got ", keep_last);
  or_opt_out([&] { make_directories(files_, directory_, "CheckpointStore"); });
  or_opt_out([&] { take_lock(); });
  remove_temporaries();
}

CheckpointStore::~CheckpointStore() = default;

void CheckpointStore::take_lock() {
  const std::filesystem::path path = directory_ / lock_name;
  OpenFile opened(files_, open_file(files_, path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  const int file = opened.get();
  if (file < 0) fail<CheckpointError>("CheckpointStore: cannot open '", path.string(), "' for writing: ", errno_text());
  lock_ = std::make_unique<FileLock>(files_, file);
  opened.release();
  // The file names the process that holds the lock, in a text of fixed length, so that one write replaces it.
  std::string holder(128, ' ');
  if (files_.lock(file) != 0 && errno == EWOULDBLOCK) {
    const ssize_t got = files_.read(file, holder.data(), holder.size());
    holder.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    holder.erase(holder.find_last_not_of(" \n") + 1);
    fail<CheckpointError>("CheckpointStore: '", directory_.string(),
                          "' is in use by another run: ", holder.empty() ? "an unknown process" : holder);
  }
  // Any other failure means a file system without locks: the run goes on without one.
  char host[65] = {};
  gethostname(host, sizeof host - 1);
  std::string self = concat("process ", getpid(), " on ", host);
  self.resize(holder.size() - 1, ' ');
  self += '\n';
  static_cast<void>(files_.write(file, self.data(), self.size()));  // the text is for the message above only
}

// A hook may fork, and the child may go on with the run.
void CheckpointStore::check_process() const {
  if (!lock_->is_ours())
    fail<CheckpointError>("CheckpointStore: want process ", lock_->owner(), ", which has the lock of '",
                          directory_.string(), "', to write there; got its child ", getpid(),
                          "; end a forked child with _exit");
}

bool CheckpointStore::remake() {
  check_process();
  const OpenFile there(files_, open_file(files_, directory_, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (there.get() >= 0 || errno != ENOENT) return false;
  make_directories(files_, directory_, "CheckpointStore");
  take_lock();
  return true;
}

void CheckpointStore::remove_temporaries() {
  for (const std::string& name : list_directory(files_, directory_, "CheckpointStore")) {
    if (!name.starts_with('.')) continue;
    const std::string_view target = std::string_view(name).substr(1, name.find(".tmp-") - 1);
    if (checkpoint_sequence(target) && is_temporary_name(name, target)) files_.unlink((directory_ / name).c_str());
  }
}

std::filesystem::path CheckpointStore::save(const TrainingState& state, bool is_best) {
  check_process();
  const auto existing = list_checkpoints(directory_, files_);
  const std::string name = checkpoint_name(existing.empty() ? 1 : existing.back().sequence + 1);
  if (!checkpoint_sequence(name))
    fail<CheckpointError>("CheckpointStore: no number is left after '", existing.back().path.string(), "'");
  std::filesystem::path path = directory_ / name;
  save_checkpoint(path, state, is_best, files_);
  rotate();
  return path;
}

// Throws nothing: the new checkpoint has been written, and a failure to remove old ones is no failure to save.
void CheckpointStore::rotate() {
  rotation_problem_.clear();
  try {
    std::vector<ExistingCheckpoint> existing;
    for (const CheckpointFile& file : list_checkpoints(directory_, files_)) {
      try {
        existing.push_back({file.sequence, is_best_checkpoint(file.path, files_)});
      } catch (const CheckpointError& error) {
        // It is left alone, because it may be the best one, and does not count among the newest.
        rotation_problem_ = error.what();
      }
    }
    for (const std::int64_t sequence : plan_retention(existing, keep_last_, resumed_from_)) {
      const std::filesystem::path path = directory_ / checkpoint_name(sequence);
      if (files_.unlink(path.c_str()) != 0 && errno != ENOENT)
        rotation_problem_ = concat("CheckpointStore: cannot remove '", path.string(), "': ", errno_text());
    }
  } catch (const CheckpointError& error) {
    rotation_problem_ = error.what();
  }
}

std::optional<LoadedCheckpoint> CheckpointStore::load_newest(const std::filesystem::path& directory,
                                                             FileSystem& files) {
  std::vector<CheckpointFile> candidates = list_checkpoints(directory, files);
  if (candidates.empty()) return std::nullopt;
  std::vector<std::string> skipped;
  for (; !candidates.empty(); candidates.pop_back()) {
    const CheckpointFile& file = candidates.back();
    try {
      return LoadedCheckpoint{file.path, file.sequence, load_or_retry(file.path, files), std::move(skipped)};
    } catch (const CheckpointError& error) {
      skipped.emplace_back(error.what());
    }
  }
  std::string all;
  for (const std::string& why : skipped) all += "\n  " + why;
  fail<CheckpointError>("load_newest: no checkpoint in '", directory.string(), "' can be loaded:", all);
}

bool is_run_name(std::string_view name) {
  return !name.empty() && name.size() <= max_run_name && !name.starts_with('.') &&
         std::ranges::all_of(name, is_run_name_char);
}

std::string to_run_name(std::string text) {
  if (text.empty()) return "run";
  text.resize(std::min(text.size(), max_run_name));
  std::ranges::replace_if(
      text, [](char c) { return !is_run_name_char(c); }, '_');
  if (text.front() == '.') text.front() = '_';
  return text;
}

std::filesystem::path new_run_dir(const std::filesystem::path& root, const std::string& name, FileSystem& files) {
  if (!is_run_name(name)) fail<OptionError>("new_run_dir: want a name of ", run_name_rule, "; got '", name, "'");
  return or_opt_out([&] {
    const std::filesystem::path runs = root / name;
    make_directories(files, runs, "new_run_dir");
    std::int64_t newest = 0;
    for (const std::string& entry : list_directory(files, runs, "new_run_dir"))
      newest = std::max(newest, sequence_in(entry).value_or(0));
    // Another process may have taken the number in the meantime: mkdir decides.
    while (!make_directory(files, runs / std::to_string(++newest), "new_run_dir")) {
    }
    return runs / std::to_string(newest);
  });
}

}  // namespace handrail::train
