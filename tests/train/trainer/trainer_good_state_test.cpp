#include <doctest/doctest.h>

#include <chrono>
#include <optional>
#include <string>
#include <thread>

#include <handrail/train/checkpoints/checkpoint.h>

#include "support/check_throws.h"
#include "support/files.h"
#include "support/hash.h"
#include "support/tasks.h"

using namespace handrail;
using train::CheckpointOptions;
using train::off;
using train::OrOff;
using train::TrainerOptions;

namespace {

// From step `from` on, the rate of four steps is far too high.
struct Shocked : Hooked {
  using Hooked::Hooked;
  std::int64_t from = 24;

 protected:
  optim::Schedule configure_schedule(double lr, std::int64_t planned) override {
    const auto schedule = Hooked::configure_schedule(lr, planned);
    return [=, this](std::int64_t step) { return schedule(step) * (step >= from && step < from + 4 ? 1e4 : 1); };
  }
};

// Epochs have 12 steps, and evaluations are made at their ends only.
TrainerOptions options_with(const OrOff<CheckpointOptions>& checkpoints) {
  auto options = bare({.epochs = 4,
                       .batch_size = 8,
                       .optimizer = train::with<optim::SGD>({.momentum = 0.9}),
                       .lr = 0.05,
                       .decay = train::Decay::constant,
                       .clip_norm = off,
                       .restore_best = false});
  options.checkpoints = checkpoints;
  return options;
}

const train::TensorDataset& data() {
  static const auto rows = points(107);
  return rows;
}

}  // namespace

TEST_CASE("a run that rolls back has the same bits on a slow disk, and however often it writes checkpoints") {
  const TempDir dir(memory_directory());
  const auto run = [&](const OrOff<CheckpointOptions>& checkpoints, bool slow) {
    NormModel model(3);
    Shocked trainer(model, cross_entropy, options_with(checkpoints));
    if (slow)
      trainer.step_end = [](const train::StepStats&) { std::this_thread::sleep_for(std::chrono::milliseconds(1)); };
    const auto result = trainer.fit(data());
    CHECK(result.rollbacks > 0);
    return hash_of(model);
  };
  const auto want = run(off, false);
  for (const bool slow : {false, true}) {
    CHECK(run(CheckpointOptions{.dir = dir.path()}, slow) == want);
    for (const std::int64_t steps : {1, 5, 7})
      CHECK(run(CheckpointOptions{.dir = dir.path(), .every_n_steps = steps}, slow) == want);
    for (const double milliseconds : {0.1, 2.0, 7.0})
      CHECK(run(CheckpointOptions{.dir = dir.path(), .every_minutes = milliseconds / 60e3}, slow) == want);
  }
}

TEST_CASE("a checkpoint has the last good state, which a rollback after a resume restores") {
  const TempDir dir(memory_directory());
  NormModel whole(3), model(3), resumed(4);
  const auto options = options_with(CheckpointOptions{.dir = dir.path(), .name = "run"});
  Shocked(whole, cross_entropy, options).fit(data());

  Shocked first(model, cross_entropy, options);
  std::uint64_t good = 0;
  first.epoch_end = [&](const train::EpochStats&) { good = hash_of(model); };
  first.step_end = [&](const train::StepStats& stats) {
    if (stats.step == 20) first.stop();
  };
  const auto result = first.fit(data());
  const auto state = train::load_checkpoint(result.checkpoint);
  CHECK(state.progress.step == 20);
  REQUIRE(state.good);
  CHECK(state.good->progress.step == 12);
  train::restore(resumed, state.good->parameters, state.good->buffers);
  CHECK(hash_of(resumed) == good);

  CHECK(Shocked(resumed, cross_entropy, options).resume(result.run_dir, data()).rollbacks > 0);
  CHECK(hash_of(resumed) == hash_of(whole));
}

TEST_CASE("a checkpoint that is itself the last good state does not hold it twice") {
  const TempDir dir(memory_directory());
  NormModel model(3);
  const auto options = options_with(CheckpointOptions{.dir = dir.path(), .every_n_steps = 5, .keep_last = 100});
  Hooked trainer(model, cross_entropy, options);
  std::uintmax_t within = 0, at_end = 0;
  trainer.checkpoint = [&](const std::filesystem::path& path) {
    const auto state = train::load_checkpoint(path);
    CHECK((state.good == nullptr) == (state.progress.batch == 0));
    (state.good ? within : at_end) = std::filesystem::file_size(path);
  };
  trainer.fit(data());
  CHECK(at_end > 0);
  CHECK(within > at_end);
  CHECK(within < 2 * at_end);
}

TEST_CASE("a run that ends diverged and is resumed leaves the last good weights too") {
  const TempDir dir(memory_directory());
  NormModel model(3), resumed(4);
  Shocked trainer(model, cross_entropy, options_with(CheckpointOptions{.dir = dir.path()}));
  trainer.from = 47;
  std::uint64_t good = 0, last = 0;
  trainer.epoch_end = [&](const train::EpochStats& stats) { (stats.epoch == 3 ? good : last) = hash_of(model); };
  const auto result = trainer.fit(data());
  CHECK(result.rollbacks == 0);
  CHECK(hash_of(model) == good);
  CHECK(hash_of(model) != last);
  Shocked(resumed, cross_entropy, trainer.options()).resume(result.run_dir, data());
  CHECK(hash_of(resumed) == good);
}

TEST_CASE("a last good state that does not fit is refused when a run is resumed, not when it rolls back") {
  const TempDir dir(memory_directory());
  NormModel model(3);
  Hooked trainer(model, cross_entropy, options_with(CheckpointOptions{.dir = dir.path(), .keep_last = 1}));
  trainer.step_end = [&](const train::StepStats& stats) {
    if (stats.step == 20) trainer.stop();
  };
  const auto result = trainer.fit(data());
  const auto before = hash_of(model);
  const auto refused = [&](auto&& change, const char* what) {
    auto state = train::load_checkpoint(result.checkpoint);
    auto good = *state.good;
    change(good);
    state.good = std::make_shared<const train::TrainingState>(good);
    const auto run = dir.path() / what;
    std::filesystem::create_directory(run);
    train::save_checkpoint(run / "checkpoint-000001.hrc", state);
    check_throws<CheckpointError>([&] { trainer.resume(run, data()); }, what);
    CHECK(hash_of(model) == before);
  };
  refused([](auto& good) { good.parameters.erase("in.bias"); }, "missing: last good parameter 'in.bias'");
  refused([](auto& good) { good.optimizer.at("in.bias").slots.clear(); }, "'in.bias': want 1 slots; got 0");
  refused([](auto& good) { good.guards.at("loss").pop_back(); }, "want the state of 'loss'");
}
