#include <doctest/doctest.h>

#include <vector>

#include "support/check_throws.h"
#include "support/files.h"
#include "support/hash.h"
#include "support/tasks.h"
#include "support/tensors.h"

using namespace handrail;
using train::off;

namespace {

std::vector<Tensor> weights_of(const nn::Module& model) {
  std::vector<Tensor> weights;
  for (const auto& p : model.parameters()) weights.push_back(p.tensor.clone());
  return weights;
}

}  // namespace

TEST_CASE("a part that a hook freezes stays as it is, decay and momentum too, and learns again when unfrozen") {
  auto model = small_model();
  train::TrainerOptions options = bare({.epochs = 6,
                                        .optimizer = train::with<optim::SGD>({.momentum = 0.9}),
                                        .lr = 0.1,
                                        .weight_decay = 0.1,
                                        .restore_best = off});
  Hooked trainer(model, cross_entropy, options);
  trainer.epoch_start = [&](Index epoch) {
    if (epoch == 3) model.freeze("0");
    if (epoch == 5) model.unfreeze("0");
  };
  std::vector<std::vector<Tensor>> after;
  trainer.epoch_end = [&](const train::EpochStats&) { after.push_back(weights_of(model)); };
  const auto result = trainer.fit(points(400));
  CHECK(result.reason == train::StopReason::finished);
  REQUIRE(after.size() == 6);
  for (std::size_t epoch = 1; epoch < 6; ++epoch) {
    const bool frozen = epoch == 2 || epoch == 3;
    for (const std::size_t p : {std::size_t{0}, std::size_t{1}})
      CHECK(same_bits(after[epoch][p], after[epoch - 1][p]) == frozen);
    for (const std::size_t p : {std::size_t{2}, std::size_t{3}})
      CHECK_FALSE(same_bits(after[epoch][p], after[epoch - 1][p]));
  }
  CHECK_FALSE(find_anomaly(result, "vanishing_gradient"));
}

TEST_CASE("a model that begins with frozen layers passes the checks and trains the rest") {
  auto model = small_model();
  model.freeze("0");
  const auto before = weights_of(model);
  train::Trainer trainer(model, cross_entropy, quiet({.epochs = 5}));
  const auto result = trainer.fit(points(600));
  CHECK(find_anomaly(result, "not_trained"));
  CHECK_FALSE(find_anomaly(result, "unreached"));
  CHECK_FALSE(find_anomaly(result, "overfit_batch"));
  const auto after = weights_of(model);
  CHECK(same_bits(before[0], after[0]));
  CHECK(same_bits(before[1], after[1]));
  CHECK_FALSE(same_bits(before[2], after[2]));
}

TEST_CASE("a model whose parameters are all frozen is refused with what to do, also when a hook freezes them") {
  for (const bool checks : {true, false}) {
    auto model = small_model();
    model.freeze();
    train::Trainer trainer(model, cross_entropy, checks ? quiet({.epochs = 2}) : bare({.epochs = 2, .lr = 0.1}));
    check_throws<OptionError>([&] { trainer.fit(points(100)); },
                              "want a parameter to train; got 4 parameters of which all are frozen", "unfreeze()");
  }
  auto model = small_model();
  Hooked trainer(model, cross_entropy, bare({.epochs = 3, .lr = 0.1}));
  trainer.epoch_start = [&](Index epoch) {
    if (epoch == 2) model.freeze();
  };
  check_throws<OptionError>([&] { trainer.fit(points(100)); }, "of which all are frozen");
}

TEST_CASE("parameters that were frozen when a run stopped are frozen when it is resumed") {
  const auto run = [](bool interrupted) {
    const TempDir dir;
    auto options = bare({.epochs = 4, .lr = 0.05});
    options.checkpoints = train::CheckpointOptions{.dir = dir.path(), .name = "run"};
    const auto session = [&](auto&& fit, std::int64_t stop_at) {
      auto model = small_model();
      Hooked trainer(model, cross_entropy, options);
      trainer.epoch_start = [&](Index epoch) {
        if (epoch == 2) model.freeze("0");
      };
      trainer.step_end = [&](const train::StepStats& stats) {
        if (stats.step == stop_at) trainer.stop();
      };
      fit(trainer);
      return hash_of(model);
    };
    const auto whole = session([](Hooked& t) { t.fit(points(400)); }, interrupted ? 17 : -1);
    if (!interrupted) return whole;
    return session([&](Hooked& t) { t.resume(dir.path() / "run" / "1", points(400)); }, -1);
  };
  CHECK(run(true) == run(false));
}

TEST_CASE("a rollback restores frozen parts too") {
  auto model = small_model();
  Poisoned trainer(model, cross_entropy, bare({.epochs = 4, .lr = 0.05, .restore_best = off}));
  std::uint64_t good = 0;
  trainer.epoch_end = [&](const train::EpochStats& stats) {
    if (stats.epoch == 2) good = hash_of(model);
  };
  trainer.step_start = [&](std::int64_t) {
    if (trainer.attempt == 30) model.freeze("2");
  };
  trainer.bad = [](std::int64_t attempt) { return attempt > 30 && attempt <= 36; };
  trainer.step_end = [&](const train::StepStats&) {
    if (trainer.attempt == 36) CHECK(hash_of(model) == good);
  };
  const auto result = trainer.fit(points(400));  // twelve batches to an epoch
  CHECK(result.rollbacks == 1);
  CHECK(good != 0);
}
