#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <handrail/core/error.h>
#include <handrail/core/random.h>
#include <handrail/train/checkpoints/checkpoint.h>
#include <handrail/train/checkpoints/checkpoint_store.h>
#include <handrail/train/checkpoints/internal/retention.h>
#include <handrail/train/files/input_file.h>
#include <handrail/train/report/internal/metrics_log.h>

#include <support/failing_files.h>
#include <support/power_loss.h>
#include <support/sanitized.h>
#include <support/training_state.h>

namespace {

using namespace handrail;
using namespace handrail::train;

// In memory: no such path is on the real disk.
const std::filesystem::path run_dir = "/handrail-in-memory/runs/1";

// What saves that have returned promise. Steps are the numbers of the checkpoints.
struct Promise {
  std::int64_t newest = 0, best = 0;
};

std::optional<std::int64_t> step_of(const std::filesystem::path& path, FileSystem& disk) {
  try {
    return load_checkpoint(path, disk).progress.step;
  } catch (const CheckpointError&) {
    return std::nullopt;
  }
}

bool keeps(const Promise& promise, FileSystem& disk) {
  if (promise.newest == 0) return true;
  try {
    const auto loaded = CheckpointStore::load_newest(run_dir, disk);
    if (!loaded || loaded->state.progress.step < promise.newest) return false;
    bool best = promise.best == 0;
    for (const CheckpointFile& file : list_checkpoints(run_dir, disk))
      best |= file.sequence >= promise.best && step_of(file.path, disk) == file.sequence &&
              is_best_checkpoint(file.path, disk);
    return best;
  } catch (const CheckpointError&) {
    return false;
  }
}

struct Outcome {
  int cuts = 0, disks = 0, broken = 0;
};

// Cuts the power after every change of a run of so many saves, and counts the disks that break the promise.
Outcome cut_everywhere(PowerLossFiles& disk, std::int64_t saves, std::int64_t keep_last) {
  Outcome outcome;
  Promise promise;
  Rng rng(static_cast<std::uint64_t>(keep_last));
  disk.after_change = [&] {
    ++outcome.cuts;
    disk.after_cuts(rng, [&](FileSystem& left) {
      ++outcome.disks;
      outcome.broken += keeps(promise, left) ? 0 : 1;
    });
  };
  CheckpointStore store(run_dir, keep_last, disk);
  for (std::int64_t step = 1; step <= saves && outcome.broken == 0; ++step) {
    const bool best = step % 5 == 2;
    store.save(state_at(step), best);
    CHECK(store.rotation_problem().empty());
    promise.newest = step;
    if (best) promise.best = step;
  }
  return outcome;
}

}  // namespace

TEST_CASE("whenever the power is cut, the newest checkpoint saved is there, or a newer one, and the best") {
  int cuts = 0;
  for (const std::int64_t keep_last : {1, 2, 5}) {
    PowerLossFiles disk;
    const Outcome outcome = cut_everywhere(disk, sanitized ? 8 : 40, keep_last);
    CHECK(outcome.broken == 0);
    CHECK(outcome.disks > 5 * outcome.cuts);
    cuts += outcome.cuts;
  }
  CHECK(cuts >= (sanitized ? 200 : 1000));
}

TEST_CASE("whenever the power is cut, the log has all the lines that belong to the newest checkpoint") {
  int with_log = 0;
  for (const bool syncs : {true, false}) {
    PowerLossFiles disk;
    Rng rng(1);
    std::string lines;  // all of the log
    int broken = 0;
    bool saved = false;
    const std::filesystem::path path = run_dir / MetricsLog::file_name;
    disk.after_change = [&] {
      if (!saved) return;  // before the first save returns, the log may be missing: resume tells and begins it anew
      disk.after_cuts(rng, [&](FileSystem& left) {
        const auto loaded = CheckpointStore::load_newest(run_dir, left);
        const std::string there = read_file(left, path, "test").bytes;
        const std::size_t length = loaded->state.log_length;
        ++with_log;
        broken += there.substr(0, length) == lines.substr(0, length) ? 0 : 1;
      });
    };
    CheckpointStore store(run_dir, 2, disk);
    MetricsLog log(path, 1, 0, disk);
    for (std::int64_t step = 1; step <= 8; ++step) {
      StepStats stats{};
      stats.step = step;
      stats.updated = true;
      log.step_end(stats);
      TrainingState state = state_at(step);
      state.log_length = log.length();
      disk.ignores_file_sync = !syncs;
      log.sync();
      disk.ignores_file_sync = false;
      lines = read_file(disk, path, "test").bytes;
      CHECK(lines.size() == state.log_length);
      store.save(state, false);
      saved = true;
    }
    CHECK((broken == 0) == syncs);
  }
  CHECK(with_log > 500);
}

TEST_CASE("a disk that does not sync files, or does not sync directories, is seen to break the promise") {
  PowerLossFiles forgets_bytes;
  forgets_bytes.ignores_file_sync = true;
  CHECK(cut_everywhere(forgets_bytes, 10, 2).broken > 0);
  PowerLossFiles forgets_names;
  forgets_names.ignores_directory_sync = true;
  CHECK(cut_everywhere(forgets_names, 10, 2).broken > 0);
}

TEST_CASE("a start after a power cut removes incomplete files, and its first save stays") {
  Rng rng(1);
  int restarts = 0, half_written = 0;
  PowerLossFiles disk;
  const auto temporaries = [](FileSystem& files) {
    std::vector<std::string> names;
    files.list(run_dir.c_str(), names);
    return std::ranges::count_if(names, [](const std::string& name) { return name.find(".tmp") != std::string::npos; });
  };
  disk.after_change = [&] {
    disk.after_cuts(rng, [&](PowerLossFiles& left) {
      if (sanitized && rng.below(8) != 0) return;
      ++restarts;
      half_written += temporaries(left) > 0 ? 1 : 0;
      CheckpointStore store(run_dir, 1, left);
      store.save(state_at(9), false);
      CHECK(temporaries(left) == 0);
      left.after_cuts(rng, [&](FileSystem& again) { CHECK(keeps({.newest = 9}, again)); });
    });
  };
  CheckpointStore store(run_dir, 1, disk);
  for (std::int64_t step = 1; step <= 3; ++step) store.save(state_at(step), false);
  CHECK(restarts > 50);
  CHECK(half_written > 5);
}

TEST_CASE("a run killed at any call can be started again, and what it saves then outlives a power cut") {
  int killed = 0;
  for (bool failed = true; failed; ++killed) {
    PowerLossFiles disk;
    std::int64_t saved = 0;
    FailingFiles dying(killed + 1, true, EIO, disk);
    try {
      CheckpointStore store(run_dir, 1, dying);
      for (std::int64_t step = 1; step <= 3; ++step) {
        store.save(state_at(step), false);
        saved = step;
      }
    } catch (const CheckpointError&) {
    }
    failed = dying.failed();
    Rng rng(1);
    disk.after_cuts(rng, [&](FileSystem& left) { CHECK(keeps({.newest = saved}, left)); });
    CheckpointStore store(run_dir, 1, disk);
    store.save(state_at(9), false);
    CAPTURE(killed);
    disk.after_cuts(rng, [&](FileSystem& left) { CHECK(keeps({.newest = 9}, left)); });
  }
  CHECK(killed > 50);
}

TEST_CASE("a save whose sync fails does not count, even if a second sync would succeed") {
  int refused = 0;
  for (int nth = 1; nth <= 5; ++nth) {
    PowerLossFiles disk;
    disk.failing_sync = nth;
    Rng rng(1);
    Promise promise;
    CheckpointStore store(run_dir, 2, disk);
    for (std::int64_t step = 1; step <= 4; ++step) {
      try {
        store.save(state_at(step), false);
        promise.newest = step;
      } catch (const CheckpointError&) {
        ++refused;
      }
      disk.after_cuts(rng, [&](FileSystem& left) { CHECK(keeps(promise, left)); });
    }
  }
  CHECK(refused == 4);  // there are but four syncs of files
}

TEST_CASE("a file that is replaced is the old or the new one after a power cut, complete") {
  PowerLossFiles disk;
  std::int64_t before = 0, under_way = 1;
  int cuts = 0;
  Rng rng(1);
  disk.after_change = [&] {
    ++cuts;
    disk.after_cuts(rng, [&](FileSystem& left) {
      const auto step = step_of("/weights", left);
      CHECK(((before == 0 && !step) || step == before || step == under_way));
    });
  };
  for (; under_way <= 10; ++under_way) {
    save_checkpoint("/weights", state_at(under_way), false, disk);
    before = under_way;
  }
  CHECK(cuts > 100);
}
