#include <doctest/doctest.h>

#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <handrail/train/checkpoints/checkpoint.h>
#include <handrail/train/checkpoints/checkpoint_store.h>
#include <handrail/train/files/file_system.h>

#include "support/check_throws.h"
#include "support/failing_files.h"
#include "support/files.h"
#include "support/hash.h"
#include "support/tasks.h"
#include "support/training_state.h"

using namespace handrail;
using train::CheckpointStore;
using train::off;
using train::TrainerOptions;

namespace {

// A file system of so many bytes at that path while it lives; nothing without the rights to mount.
class SmallDisk {
 public:
  SmallDisk(std::filesystem::path path, const char* size)
      : path_(std::move(path)), mounted_(mount("handrail-test", path_.c_str(), "tmpfs", 0, size) == 0) {}
  ~SmallDisk() {
    if (mounted_) umount2(path_.c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  explicit operator bool() const { return mounted_; }

 private:
  std::filesystem::path path_;
  bool mounted_;
};

// Writes until nothing more fits.
void fill(const std::filesystem::path& path) {
  std::ofstream out(path, std::ios::binary);
  const std::string block(1024, 'x');
  while (out.write(block.data(), std::ssize(block)).flush()) {
  }
}

TrainerOptions options_in(const std::filesystem::path& dir) {
  TrainerOptions options = bare({.epochs = 2, .lr = 0.02});
  options.checkpoints = train::CheckpointOptions{.dir = dir, .name = "run", .every_n_steps = 4, .keep_last = 2};
  return options;
}

// A run of 24 steps, in which from step `from` to step `until` no checkpoint can be written.
struct Story {
  train::FitResult result;
  std::uint64_t model = 0;
  std::vector<std::int64_t> written, failed;
};

template <class Begin, class End>
Story train_in(const std::filesystem::path& dir, std::int64_t from, std::int64_t until, Begin&& begin, End&& end) {
  Story story;
  auto model = small_model();
  Hooked trainer(model, cross_entropy, options_in(dir));
  std::int64_t step = 0;
  trainer.step_end = [&](const train::StepStats& stats) {
    step = stats.step;
    if (step == from) begin();
    if (step == until) end();
  };
  trainer.checkpoint = [&](const std::filesystem::path&) { story.written.push_back(step); };
  trainer.anomaly = [&](const train::Anomaly& anomaly) {
    if (anomaly.name == "checkpoint_failed") story.failed.push_back(step);
    return anomaly.action;
  };
  story.result = trainer.fit(points(400));
  story.model = hash_of(model);
  return story;
}

std::uint64_t undisturbed() {
  const TempDir dir;
  const auto nothing = [] {};
  return train_in(dir.path(), 0, 0, nothing, nothing).model;
}

using Steps = std::vector<std::int64_t>;

void check_resumes(const std::filesystem::path& dir, std::int64_t step) {
  const auto newest = CheckpointStore::load_newest(dir / "run" / "1");
  REQUIRE(newest);
  CHECK(newest->skipped.empty());
  CHECK(newest->state.progress.step == step);
  for (const std::string& name : names_in(dir / "run" / "1")) CHECK(name.find(".tmp") == std::string::npos);
}

}  // namespace

TEST_CASE("on a full disk training goes on to the end and reports it, and the last checkpoint loads") {
  const TempDir dir;
  const SmallDisk disk(dir.path(), "size=128k");
  if (!disk) {
    MESSAGE("skipped: cannot mount a small disk: ", std::strerror(errno));
    return;
  }
  SUBCASE("to its end") {
    const Story story = train_in(
        dir.path(), 10, 0, [&] { fill(dir.path() / "filler"); }, [] {});
    CHECK(story.result.reason == train::StopReason::finished);
    CHECK(story.written == Steps{4, 8});
    CHECK(story.failed == Steps{12, 16, 20, 24, 24});  // and once more at the end
    const auto* anomaly = find_anomaly(story.result, "checkpoint_failed");
    REQUIRE(anomaly);
    CHECK(contains(anomaly->evidence, "No space left on device"));
    CHECK(contains(anomaly->evidence, " bytes; what was at that path is unchanged"));
    CHECK(contains(story.result.checkpoint_problem, "No space left on device"));
    CHECK(story.result.exit_status() != 0);
    check_resumes(dir.path(), 8);
    CHECK(story.model == undisturbed());
  }
  SUBCASE("until somebody makes room") {
    const Story story = train_in(
        dir.path(), 10, 18, [&] { fill(dir.path() / "filler"); },
        [&] { std::filesystem::remove(dir.path() / "filler"); });
    CHECK(story.written == Steps{4, 8, 20, 24});
    CHECK(story.failed == Steps{12, 16});
    CHECK(story.result.checkpoint_problem.empty());
    CHECK(story.result.exit_status() == 0);
    check_resumes(dir.path(), 24);
    CHECK(story.model == undisturbed());
  }
}

TEST_CASE("a limit of the file size below that of a checkpoint does not end training") {
  const TempDir dir;
  std::optional<LimitedFileSize> limit;
  const Story story = train_in(
      dir.path(), 10, 0, [&] { limit.emplace(1000); }, [] {});
  limit.reset();
  CHECK(story.result.reason == train::StopReason::finished);
  CHECK(story.written == Steps{4, 8});
  CHECK(story.failed == Steps{12, 16, 20, 24, 24});  // and once more at the end
  CHECK(contains(story.result.checkpoint_problem, "File too large"));
  CHECK(contains(story.result.checkpoint_problem, "after 1000 of "));
  check_resumes(dir.path(), 8);
  CHECK(story.model == undisturbed());
}

TEST_CASE("a device that accepts no byte is named with the error of the system") {
  // What the system itself answers, not what a test makes up.
  struct FullFiles : train::FileSystem {
    int full = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
    ~FullFiles() override { ::close(full); }
    ssize_t write(int, const void* bytes, std::size_t count) override { return ::write(full, bytes, count); }
  };
  const TempDir dir;
  CheckpointStore(dir.path(), 1).save(state_at(1), true);
  FullFiles files;
  if (files.full < 0) {
    MESSAGE("skipped: no /dev/full");
    return;
  }
  CheckpointStore store(dir.path(), 1, files);
  check_throws<CheckpointError>([&] { store.save(state_at(2), false); }, dir.path().string(), "No space left on device",
                                "after 0 of ");
  CHECK(CheckpointStore::load_newest(dir.path())->state.progress.step == 1);
  CHECK(names_in(dir.path()).size() == 2);
}
