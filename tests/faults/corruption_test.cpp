#include <doctest/doctest.h>

#include <fcntl.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <string_view>

#include <handrail/core/error.h>
#include <handrail/core/random.h>
#include <handrail/core/system/pool.h>
#include <handrail/train/checkpoints/checkpoint.h>
#include <handrail/train/exchange/weights.h>

#include "support/files.h"
#include "support/hash.h"
#include "support/heap_faults.h"
#include "support/sanitized.h"
#include "support/tasks.h"
#include "support/training_state.h"

using namespace handrail;
using namespace handrail::train;

namespace {

std::string bytes_of(const std::filesystem::path& path) {
  std::ostringstream bytes;
  bytes << std::ifstream(path, std::ios::binary).rdbuf();
  return bytes.str();
}

// A file whose bytes are changed in place, quickly.
class Victim {
 public:
  explicit Victim(const std::filesystem::path& path) : file_(::open(path.c_str(), O_RDWR | O_CLOEXEC)) {
    REQUIRE(file_ >= 0);
  }
  ~Victim() { ::close(file_); }
  Victim(const Victim&) = delete;
  Victim& operator=(const Victim&) = delete;

  void put(std::size_t at, std::string_view bytes) const {
    REQUIRE(::pwrite(file_, bytes.data(), bytes.size(), static_cast<off_t>(at)) == std::ssize(bytes));
  }
  void resize(std::size_t size) const { REQUIRE(::ftruncate(file_, static_cast<off_t>(size)) == 0); }

 private:
  int file_;
};

struct Damage {
  std::size_t tried = 0, loaded = 0, changed = 0, greedy = 0;
};

// Every truncation, every flip of a bit, and bytes behind the end. load() is to throw, live() to stay what it was, and
// memory to be in proportion to the file.
Damage damage_in_every_way(const std::filesystem::path& path, const std::function<void()>& load,
                           const std::function<std::uint64_t()>& live) {
  const std::string good = bytes_of(path);
  const std::uint64_t before = live();
  const Victim victim(path);
  Damage damage;
  const auto look = [&](std::size_t size) {
    ++damage.tried;
    release_cached_memory();
    bool refused = false;
    const std::int64_t peak = heap_faults::peak_during([&] {
      try {
        load();
      } catch (const CheckpointError&) {
        refused = true;
      }
    });
    damage.loaded += refused ? 0U : 1U;
    damage.changed += live() == before ? 0U : 1U;
    damage.greedy += peak < 64 * 1024 + 4 * static_cast<std::int64_t>(size) ? 0U : 1U;
  };
  const std::size_t stride = sanitized ? 9 : 1;
  for (std::size_t bit = 0; bit < 8 * good.size(); bit += stride) {
    const std::size_t at = bit / 8;
    const char flipped = static_cast<char>(good[at] ^ (1 << (bit % 8)));
    victim.put(at, {&flipped, 1});
    look(good.size());
    victim.put(at, {&good[at], 1});
  }
  for (std::size_t more = 1; more <= 256; more += stride) {
    std::string tail(more, '\0');
    if (more % 2 == 0) tail = good.substr(0, more);
    victim.put(good.size(), tail);
    look(good.size() + more);
    victim.resize(good.size());
  }
  for (std::size_t size = good.size(); size-- > 0;) {
    victim.resize(size);
    if (size % stride == 0) look(size);
  }
  return damage;
}

void check_all_refused(const Damage& damage) {
  CHECK(damage.tried > (sanitized ? 900 : 8000));
  CHECK(damage.loaded == 0);
  CHECK(damage.changed == 0);
  CHECK(damage.greedy == 0);
}

}  // namespace

TEST_CASE("a checkpoint damaged in any way is refused, and costs memory in proportion to its size") {
  const TempDir dir;
  const auto path = dir.path() / "checkpoint";
  save_checkpoint(path, full_state());
  CHECK(std::filesystem::file_size(path) > 1000);
  CHECK(std::filesystem::file_size(path) < 3000);
  std::int64_t live = 1;
  check_all_refused(damage_in_every_way(
      path, [&] { live = load_checkpoint(path).progress.step; }, [&] { return static_cast<std::uint64_t>(live); }));
}

TEST_CASE("weights damaged in any way are refused, and the model is as before, to the bit") {
  const TempDir dir;
  const auto path = dir.path() / "weights";
  NormModel model(1);
  save_weights(NormModel(2), path);
  check_all_refused(damage_in_every_way(
      path, [&] { load_weights(model, path); }, [&] { return hash_of(model); }));
}

TEST_CASE("a run whose only checkpoint is damaged is not resumed, and the model is as before, to the bit") {
  const TempDir dir;
  const auto data = points(100);
  TrainerOptions options = bare({.epochs = 1, .lr = 0.01});
  options.checkpoints = CheckpointOptions{.dir = dir.path(), .name = "run", .keep_last = 1};
  NormModel model(1);
  const std::filesystem::path path = Trainer(model, cross_entropy, options).fit(data).checkpoint;
  for (const auto& entry : std::filesystem::directory_iterator(path.parent_path()))
    if (entry.path().extension() == ".hrc" && entry.path() != path) std::filesystem::remove(entry.path());
  const std::string good = bytes_of(path);
  const std::uint64_t before = hash_of(model);
  Rng rng(1);
  Trainer trainer(model, cross_entropy, options);
  const Victim victim(path);
  for (int trial = 0; trial < (sanitized ? 30 : 300); ++trial) {
    const std::size_t at = rng.below(good.size());
    const char flipped = static_cast<char>(good[at] ^ (1 << rng.below(8)));
    victim.put(at, {&flipped, 1});
    CHECK_THROWS_AS(trainer.resume(path.parent_path(), data), CheckpointError);
    CHECK(hash_of(model) == before);
    victim.put(at, {&good[at], 1});
  }
  trainer.resume(path.parent_path(), data);
}

TEST_CASE("a checkpoint of a megabyte is loaded with less than four times its size") {
  const TempDir dir;
  const auto path = dir.path() / "large";
  TrainingState state = full_state();
  state.parameters["large"] = Tensor::ones({512, 512});
  save_checkpoint(path, state);
  release_cached_memory();
  const auto size = static_cast<std::int64_t>(std::filesystem::file_size(path));
  const std::int64_t peak = heap_faults::peak_during([&] { load_checkpoint(path); });
  CHECK(peak > size);
  CHECK(peak < 4 * size);
}
