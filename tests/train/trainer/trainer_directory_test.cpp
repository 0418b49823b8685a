#include <doctest/doctest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <set>
#include <string>

#include <handrail/train/checkpoints/checkpoint.h>
#include <handrail/train/checkpoints/checkpoint_store.h>

#include "support/check_throws.h"
#include "support/files.h"
#include "support/tasks.h"

using namespace handrail;
using train::CheckpointOptions;
using train::CheckpointStore;
namespace fs = std::filesystem;

namespace {

train::TrainerOptions options_in(const fs::path& dir) {
  auto options = bare({.epochs = 2, .batch_size = 8, .lr = 0.01});
  options.checkpoints = CheckpointOptions{.dir = dir, .name = "run", .every_n_steps = 3, .keep_last = 2};
  options.metrics_csv = fs::path();
  return options;
}

std::set<std::string> names_below(const fs::path& dir) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(dir)) names.insert(entry.path().filename());
  return names;
}

std::map<std::string, std::string> files_in(const TempDir& dir, const fs::path& below) {
  std::map<std::string, std::string> files;
  if (!fs::exists(dir.path() / below)) return {};
  for (const std::string& name : names_below(dir.path() / below)) files[name] = dir.read((below / name).string());
  return files;
}

// Restores the working directory at the end.
struct WorkingDirectory {
  explicit WorkingDirectory(const fs::path& now) : before(fs::current_path()) { fs::current_path(now); }
  ~WorkingDirectory() { fs::current_path(before); }
  fs::path before;
};

}  // namespace

TEST_CASE("a run writes to its own directory after a hook has changed the working directory") {
  const TempDir dir, other;
  const WorkingDirectory at(dir.path());
  auto model = small_model();
  // Another run of the same relative path, whose checkpoints must stay.
  fs::create_directories(other.path() / "runs" / "run" / "1");
  for (const char* name : {"checkpoint-000001.hrc", "checkpoint-000002.hrc", "checkpoint-000003.hrc"})
    other.write(std::string("runs/run/1/") + name, "of another run");
  const auto before = names_below(other.path() / "runs" / "run" / "1");
  Hooked trainer(model, cross_entropy, options_in("runs"));
  const auto wander = [&](const train::StepStats& stats) {
    if (stats.step == 4 || stats.step == 14) fs::current_path(other.path());
  };
  trainer.step_end = [&](const train::StepStats& stats) {
    wander(stats);
    if (stats.step == 12) trainer.stop();
  };
  const auto result = trainer.fit(points(100));
  CHECK(names_below(other.path() / "runs" / "run" / "1") == before);
  CHECK(train::load_checkpoint(result.checkpoint).progress.step == 12);
  CHECK(fs::canonical(result.run_dir) == fs::canonical(dir.path() / "runs" / "run" / "1"));

  fs::current_path(dir.path());
  trainer.step_end = wander;
  const auto resumed = trainer.resume("runs/run/1", points(100));
  CHECK(names_below(other.path() / "runs" / "run" / "1") == before);
  CHECK(fs::exists(dir.path() / "runs" / "run" / "1" / "metrics.csv"));
  CHECK(train::load_checkpoint(resumed.checkpoint).progress.step == resumed.steps);
}

TEST_CASE("a symbolic link that takes the place of the directory of a run leads to no write and no deletion") {
  for (const bool resumed : {false, true}) {
    const TempDir dir;
    auto model = small_model();
    Hooked trainer(model, cross_entropy, options_in(dir.path()));
    const fs::path run = dir.path() / "run" / "1", moved = dir.path() / "moved", victim = dir.path() / "victim";
    fs::create_directory(victim);
    for (const char* name : {"checkpoint-000001.hrc", "checkpoint-000002.hrc", ".checkpoint-000001.hrc.tmp-1-0"})
      dir.write(std::string("victim/") + name, "precious");
    const auto before = names_below(victim);
    const auto swap = [&](const train::StepStats& stats) {
      if (stats.step != 13) return;
      fs::rename(run, moved);
      fs::create_directory_symlink(victim, run);
    };
    trainer.step_end = [&](const train::StepStats& stats) {
      resumed ? void() : swap(stats);
      if (resumed && stats.step == 7) trainer.stop();
    };
    trainer.fit(points(100));
    if (resumed) {
      trainer.step_end = swap;
      trainer.resume(run, points(100));
    }
    CHECK(names_below(victim) == before);
    CHECK(CheckpointStore::load_newest(moved)->state.progress.epoch == 3);
  }
}

TEST_CASE("a resume has the lock of the directory before it reads a checkpoint there") {
  struct Watching : Hooked {
    using Hooked::Hooked;
    std::function<void()> before_restore = [] {};
    std::vector<std::unique_ptr<train::Guard>> configure_guards() override {
      before_restore();
      return {};
    }
  };
  const TempDir dir;
  auto model = small_model();
  Watching trainer(model, cross_entropy, options_in(dir.path()));
  const auto result = trainer.fit(points(100));
  int tried = 0;
  trainer.before_restore = [&] {
    ++tried;
    check_throws<CheckpointError>([&] { CheckpointStore(result.run_dir, 1); }, "in use by another run");
  };
  trainer.resume(result.run_dir, points(100));
  CHECK(tried == 1);
}

TEST_CASE("a run that ends before its first step leaves a link in the place of its directory") {
  const TempDir dir;
  auto model = small_model();
  Hooked trainer(model, cross_entropy, options_in(dir.path()));
  const fs::path run = dir.path() / "run" / "1";
  trainer.fit_start = [&] {
    fs::rename(run, dir.path() / "moved");
    fs::create_directory_symlink(dir.path(), run);
    throw std::runtime_error("mine");
  };
  CHECK_THROWS_WITH(trainer.fit(points(100)), "mine");
  CHECK(fs::is_symlink(run));
  CHECK(names_below(dir.path() / "moved").empty());
}

TEST_CASE("a forked child that goes on with a run leaves the directory of its parent alone") {
  for (const bool before_first_step : {false, true}) {
    CAPTURE(before_first_step);
    const TempDir dir;
    auto model = small_model();
    Hooked trainer(model, cross_entropy, options_in(dir.path()));
    std::map<std::string, std::string> before, after;
    int status = -1;
    bool is_child = false;
    const auto fork_once = [&] {
      before = files_in(dir, "run/1");
      const pid_t child = fork();
      if (child == 0) {
        is_child = true;
        return;
      }
      waitpid(child, &status, 0);
      after = files_in(dir, "run/1");
    };
    if (before_first_step) trainer.fit_start = fork_once;
    trainer.step_end = [&](const train::StepStats& stats) {
      if (!before_first_step && stats.step == 4) fork_once();
    };
    try {
      trainer.fit(points(100));
    } catch (const CheckpointError&) {  // the child cannot write its first checkpoint
    }
    if (is_child) _exit(0);
    CHECK(status == 0);
    CHECK(!before.empty());
    CHECK(after == before);
    trainer.fit_start = {};
    trainer.step_end = {};
    CHECK(trainer.fit(points(100)).checkpoint_problem.empty());
  }
}
