#include <doctest/doctest.h>

#include <cerrno>  // program_invocation_short_name
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <handrail/train/checkpoints/checkpoint.h>
#include <handrail/train/checkpoints/internal/retention.h>

#include "support/check_throws.h"
#include "support/failing_files.h"
#include "support/files.h"
#include "support/hash.h"
#include "support/tasks.h"

using namespace handrail;
using train::off;
using train::TrainerOptions;

namespace {

TrainerOptions options_in(const TempDir& dir, train::CheckpointOptions checkpoints = {}) {
  TrainerOptions options = bare({.epochs = 4, .lr = 0.02});
  checkpoints.dir = dir.path() / "runs";
  options.checkpoints = checkpoints;
  return options;
}

std::vector<std::string> files_in(const std::filesystem::path& directory) {
  std::vector<std::string> names;
  for (const auto& file : train::list_checkpoints(directory)) names.push_back(file.path.filename().string());
  return names;
}

}  // namespace

TEST_CASE("a run has a directory of its own, named after the program, and a checkpoint at its end") {
  const TempDir dir;
  const auto fit = [&] {
    auto model = small_model();
    return train::Trainer(model, cross_entropy, options_in(dir)).fit(points(100));
  };
  const auto first = fit(), second = fit();
  const auto runs = dir.path() / "runs" / program_invocation_short_name;
  CHECK(std::filesystem::path(first.checkpoint).parent_path() == runs / "1");
  CHECK(std::filesystem::path(second.checkpoint).parent_path() == runs / "2");
  const auto state = train::load_checkpoint(first.checkpoint);
  CHECK(state.progress.step == first.steps);
  CHECK(state.progress.epoch == 5);
  CHECK(state.decisions.lr == first.lr);
}

TEST_CASE("the name of a program is changed into one that a directory can have") {
  const TempDir dir;
  char* const before = program_invocation_short_name;
  char odd[] = ".my prog\xC3\xA4/x";
  program_invocation_short_name = odd;
  auto model = small_model();
  const auto result = train::Trainer(model, cross_entropy, options_in(dir)).fit(points(100));
  program_invocation_short_name = before;
  CHECK(std::filesystem::path(result.checkpoint).parent_path() == dir.path() / "runs" / "_my_prog___x" / "1");
}

TEST_CASE("a place that cannot be written to is an error before the first step that names the opt-out") {
  const TempDir dir;
  dir.write("runs", "a file where a directory should be");
  auto model = small_model();
  const auto before = hash_of(model);
  Hooked trainer(model, cross_entropy, options_in(dir));
  trainer.step_start = [](std::int64_t) { FAIL_CHECK("no step is to be made"); };
  check_throws<CheckpointError>([&] { trainer.fit(points(100)); }, "checkpoints = off", "runs");
  CHECK(hash_of(model) == before);
}

TEST_CASE("the last five checkpoints and that of the best are kept") {
  const TempDir dir;
  auto model = small_model();
  TrainerOptions options = options_in(dir, {.name = "long", .every_n_steps = 3});
  options.epochs = 12;
  options.patience = off;
  options.improvement = train::Improvement::plain;
  options.lr = 0.1;
  Hooked trainer(model, cross_entropy, options);  // three steps to an epoch
  std::vector<std::int64_t> best;
  std::int64_t written = 1;  // before the first step
  trainer.validation_end = [&](const train::EvaluationStats& stats) {
    if (stats.best) best.push_back(stats.epoch);
  };
  trainer.checkpoint = [&](const std::filesystem::path& path) {
    CHECK(path.filename().string() == train::checkpoint_name(++written));
  };
  trainer.fit(coin_flips(96), coin_flips(200, 2));
  CHECK(written == 13);
  REQUIRE(best.back() < 8);
  std::vector<std::string> want{train::checkpoint_name(best.back() + 1)};
  for (std::int64_t number = 9; number <= 13; ++number) want.push_back(train::checkpoint_name(number));
  CHECK(files_in(dir.path() / "runs" / "long" / "1") == want);
}

TEST_CASE("fast epochs do not fill the disk: checkpoints are a second apart") {
  const TempDir dir;
  auto model = small_model();
  int written = 0;
  TrainerOptions options = options_in(dir, {.name = "quick"});
  options.epochs = 30;
  Hooked trainer(model, cross_entropy, options);
  trainer.checkpoint = [&](const std::filesystem::path&) { ++written; };
  const auto result = trainer.fit(points(64));
  CHECK(result.epochs > 5);
  CHECK(written < 5);
  CHECK(written >= 1);
}

TEST_CASE("a checkpoint that cannot be written is an anomaly, training goes on, and the next one is tried") {
  const TempDir dir;
  auto model = small_model();
  Hooked trainer(model, cross_entropy, options_in(dir, {.name = "full", .every_n_steps = 2}));
  const auto run = dir.path() / "runs" / "full" / "1", away = dir.path() / "away";
  std::vector<std::int64_t> failed, written;
  std::int64_t step = 0;
  trainer.step_end = [&](const train::StepStats& stats) {
    step = stats.step;
    if (step == 3) {
      std::filesystem::copy(run, away);
      std::filesystem::remove_all(run);
      std::ofstream in_the_way(run);
    }
    if (step == 8) {
      std::filesystem::remove(run);
      std::filesystem::rename(away, run);
    }
  };
  trainer.checkpoint = [&](const std::filesystem::path&) { written.push_back(step); };
  trainer.anomaly = [&](const train::Anomaly& anomaly) {
    CHECK(anomaly.name == "checkpoint_failed");
    CHECK(contains(anomaly.text(), "checkpoints = off"));
    failed.push_back(step);
    return anomaly.action;
  };
  const auto result = trainer.fit(points(400));  // twelve steps to an epoch
  CHECK(result.reason == train::StopReason::finished);
  CHECK(result.steps == 48);
  CHECK(failed == std::vector<std::int64_t>{4, 6});
  CHECK(written.front() == 2);
  CHECK(written.at(1) == 8);
  CHECK(written.back() == 48);
  CHECK(result.anomaly_counts.at("checkpoint_failed") == 2);
  CHECK(train::load_checkpoint(result.checkpoint).progress.step == 48);
  CHECK(result.checkpoint_problem.empty());
}

TEST_CASE("parameters that are not finite are never written, which is an anomaly") {
  const TempDir dir;
  auto model = small_model();
  TrainerOptions options = options_in(dir, {.name = "nan"});
  options.guards.non_finite = options.guards.divergence = false;
  Poisoned trainer(model, cross_entropy, options);
  trainer.bad = [](std::int64_t attempt) { return attempt == 5; };
  const auto result = trainer.fit(points(400));
  CHECK_FALSE(all_finite(model));
  REQUIRE(find_anomaly(result, "checkpoint_failed"));
  CHECK(contains(find_anomaly(result, "checkpoint_failed")->text(), "want finite values"));
  CHECK(contains(result.checkpoint_problem, "want finite values"));
  CHECK(train::load_checkpoint(result.checkpoint).progress.step == 0);
}

TEST_CASE("a damaged newest checkpoint is skipped on resume and reported") {
  const TempDir dir;
  auto model = small_model();
  TrainerOptions options = options_in(dir, {.name = "damaged", .every_n_steps = 4});
  const auto result = train::Trainer(model, cross_entropy, options).fit(points(100));
  const auto end = hash_of(model);
  const auto run = std::filesystem::path(result.checkpoint).parent_path();
  REQUIRE(files_in(run).size() >= 2);
  std::filesystem::resize_file(result.checkpoint, std::filesystem::file_size(result.checkpoint) / 2);
  auto other = small_model(2);
  const auto resumed = train::Trainer(other, cross_entropy, options).resume(run, points(100));
  const auto* anomaly = find_anomaly(resumed, "checkpoint_skipped");
  REQUIRE(anomaly);
  CHECK(contains(anomaly->evidence, std::filesystem::path(result.checkpoint).filename().string()));
  CHECK(resumed.steps == result.steps);
  CHECK(hash_of(other) == end);
}
