#include <doctest/doctest.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <handrail/core/system/pool.h>
#include <handrail/core/tape.h>
#include <handrail/train/checkpoints/checkpoint.h>
#include <handrail/train/checkpoints/checkpoint_store.h>
#include <handrail/train/exchange/weights.h>
#include <handrail/train/files/file_system.h>

#include "support/failing_files.h"
#include "support/files.h"
#include "support/hash.h"
#include "support/heap_faults.h"
#include "support/sanitized.h"
#include "support/tasks.h"
#include "support/training_state.h"

using namespace handrail;
using namespace handrail::train;

namespace {

// The real disk, but for the waiting.
struct UnsyncedFiles : FileSystem {
  int sync(int) override { return 0; }
};

std::size_t open_descriptors() {
  std::vector<std::string> names;
  REQUIRE(posix_file_system().list("/proc/self/fd", names) == 0);
  return names.size();
}

std::size_t temporaries_in(const std::filesystem::path& directory) {
  std::size_t count = 0;
  for (const std::string& name : names_in(directory)) count += name.find(".tmp-") != std::string::npos ? 1U : 0U;
  return count;
}

TrainingState state_with(std::int64_t step) {
  TrainingState state = full_state();
  state.progress.step = step;
  return state;
}

// Calls f with one allocation failing after the other, from the first, until it comes through without; look() after
// each. No failure may pass unnoticed. Returns how many there were.
template <class F, class Look>
std::int64_t fail_each(F&& f, Look&& look) {
  const std::size_t descriptors = open_descriptors();
  std::int64_t n = 1;
  for (bool failed = true; failed; n += sanitized ? 5 : 1) {
    release_cached_memory();  // else tensors need none
    const heap_faults::Outcome outcome = heap_faults::fail_nth(n, f);
    failed = outcome != heap_faults::Outcome::no_fault;
    CAPTURE(n);
    CHECK(outcome != heap_faults::Outcome::ignored);
    CHECK(open_descriptors() == descriptors);
    look(failed);
  }
  return n - 1;
}

}  // namespace

TEST_CASE("whichever allocation of a run of saves fails, a good checkpoint is left, and no descriptor or temporary") {
  UnsyncedFiles files;
  const TrainingState first = state_with(1), second = state_with(2), third = state_with(3);
  std::optional<TempDir> dir(std::in_place);
  CheckpointStore(dir->path(), 1, files).save(first, false);
  std::int64_t returned = 1;
  const std::int64_t allocations = fail_each(
      [&] {
        CheckpointStore store(dir->path(), 1, files);
        store.save(second, false);
        returned = 2;
        store.save(third, true);
        returned = 3;
      },
      [&](bool failed) {
        const auto loaded = CheckpointStore::load_newest(dir->path());
        REQUIRE(loaded);
        const std::int64_t step = loaded->state.progress.step;
        CHECK(step >= returned);
        CHECK(loaded->skipped.empty());
        check_same(loaded->state, state_with(step));
        check_same(second, state_with(2));
        if (!failed) CHECK(step == 3);
        CheckpointStore(dir->path(), 1, files);
        CHECK(temporaries_in(dir->path()) == 0);
        dir.emplace();
        CheckpointStore(dir->path(), 1, files).save(first, false);
        returned = 1;
      });
  CHECK(allocations > 100);
}

TEST_CASE("whichever allocation of a load fails, it is the newest checkpoint that is loaded or none") {
  const TempDir dir;
  UnsyncedFiles files;
  for (std::int64_t step = 1; step <= 2; ++step)
    CheckpointStore(dir.path(), 5, files).save(state_with(step), false);
  std::optional<LoadedCheckpoint> loaded;
  const std::int64_t allocations = fail_each([&] { loaded = CheckpointStore::load_newest(dir.path()); },
                                             [&](bool failed) {
                                               CHECK(loaded.has_value() == !failed);
                                               if (loaded) check_same(loaded->state, state_with(2));
                                             });
  CHECK(allocations > 50);
}

TEST_CASE("whichever allocation of load_weights fails, the model is as before, to the bit") {
  const TempDir dir;
  const auto path = dir.path() / "weights";
  NormModel model(1), other(2);
  for (const Buffer& buffer : other.buffers()) buffer.tensor.mutable_data()[0] = 7;
  save_weights(other, path);
  const std::uint64_t before = hash_of(model), wanted = hash_of(other);
  REQUIRE(before != wanted);
  const std::int64_t allocations = fail_each([&] { load_weights(model, path); },
                                             [&](bool failed) { CHECK(hash_of(model) == (failed ? before : wanted)); });
  CHECK(allocations > 30);
}

TEST_CASE("whichever allocation of save_weights fails, the file is the old or the new one and the model is as before") {
  const TempDir dir;
  UnsyncedFiles files;
  const auto path = dir.path() / "weights";
  NormModel old(1), model(2), read(3);
  save_weights(old, path, files);
  const std::uint64_t hash = hash_of(model);
  fail_each([&] { save_weights(model, path, files); },
            [&](bool failed) {
              CHECK(hash_of(model) == hash);
              load_weights(read, path);
              CHECK((hash_of(read) == hash || (failed && hash_of(read) == hash_of(old))));
              CHECK(temporaries_in(dir.path()) == 0);
            });
}

TEST_CASE("whichever allocation fails while ops are recorded, what they have saved is freed with the tape") {
  const auto saved = std::make_shared<int>();
  long held = 0;
  const auto record = [&] {
    const Tape tape;
    const Tensor x = Tensor::ones({1});
    x.set_requires_grad(true);
    for (int op = 0; op < 20; ++op)
      Tape::record("op", {x}, Tensor(Shape{1}), [saved](const Backward&) { REQUIRE(false); });
    held = saved.use_count();
  };
  std::int64_t n = 1;
  for (auto outcome = heap_faults::Outcome::threw; outcome == heap_faults::Outcome::threw; ++n) {
    // A new thread has no memory of an earlier tape.
    std::thread([&] { outcome = heap_faults::fail_nth(n, record); }).join();
    CHECK(outcome != heap_faults::Outcome::ignored);
    CHECK(saved.use_count() == 1);
  }
  CHECK(held == 21);
  CHECK(n > 20);
}

TEST_CASE("weights that do not fit are refused, whichever allocation fails while that is found out") {
  const TempDir dir;
  const auto path = dir.path() / "weights";
  save_weights(NormModel(1), path);
  auto other = small_model();  // narrower: the weights would be written beyond its end
  const std::uint64_t before = hash_of(other);
  std::int64_t n = 1;
  for (auto outcome = heap_faults::Outcome::threw; outcome == heap_faults::Outcome::threw; ++n) {
    outcome = heap_faults::fail_nth(n, [&] { load_weights(other, path); });
    CHECK(outcome != heap_faults::Outcome::ignored);
    CHECK(hash_of(other) == before);
  }
  CHECK(n > 50);
}
