#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include <handrail/train/checkpoints/checkpoint.h>
#include <handrail/train/checkpoints/internal/retention.h>

#include "support/check_throws.h"
#include "support/files.h"
#include "support/hash.h"
#include "support/tasks.h"

using namespace handrail;
using train::MonitorMode;
using train::off;
using train::TrainerOptions;

namespace {

// The share of samples whose target is 1, as a figure that is easy to check, and one that is set from outside.
struct Measuring : Hooked {
  using Hooked::Hooked;
  double f1 = 0, twice = 2;
  train::StepOutput training_step(const train::Batch& batch) override {
    train::StepOutput out = Trainer::training_step(batch);
    const double ones = static_cast<double>(mean(batch.targets).item());
    out.metrics = {{"ones", ones}, {"twice", twice * ones}};
    return out;
  }
  train::StepOutput validation_step(const train::Batch& batch) override {
    train::StepOutput out = Trainer::training_step(batch);
    out.metrics = {{"ones", static_cast<double>(mean(batch.targets).item())}, {"f1", f1}};
    return out;
  }
};

double share_of_ones(const train::TensorDataset& data) { return static_cast<double>(mean(data.targets()).item()); }

}  // namespace

TEST_CASE("metrics of training and validation are means over samples, in epochs, evaluations and on the console") {
  auto model = small_model();
  std::FILE* file = std::tmpfile();
  REQUIRE(file);
  const auto log = std::make_shared<train::MemorySink>();
  TrainerOptions options = quiet({.epochs = 2, .accumulate_grad_batches = 3, .lr = 0.01});
  options.sinks = {log, train::console(file)};
  Measuring trainer(model, cross_entropy, options);
  trainer.f1 = 0.625;
  const auto training = points(100), validation = points(77, 2);  // batches of 32, 32, 32 and 4
  const auto result = trainer.fit(training, validation);

  REQUIRE(log->epochs.size() == 2);
  for (const auto& epoch : log->epochs) {
    REQUIRE(epoch.metrics.size() == 2);
    CHECK(epoch.metrics[0].name == "ones");
    CHECK(epoch.metrics[0].value == doctest::Approx(share_of_ones(training)));
    CHECK(epoch.metrics[1].name == "twice");
    CHECK(epoch.metrics[1].value == doctest::Approx(2 * share_of_ones(training)));
    REQUIRE(epoch.validation);
    REQUIRE(epoch.validation->metrics.size() == 2);
    CHECK(epoch.validation->metrics[0].value == doctest::Approx(share_of_ones(validation)));
    CHECK(epoch.validation->metrics[1].value == doctest::Approx(0.625));
  }
  CHECK(result.validation->metrics.at(1).name == "f1");
  CHECK(trainer.evaluate(validation).metrics.at(0).value == doctest::Approx(share_of_ones(validation)));

  std::rewind(file);
  std::array<char, 16384> buffer{};
  const std::string text(buffer.data(), std::fread(buffer.data(), 1, buffer.size(), file));
  std::fclose(file);
  for (const char* part : {"train_ones 0.", "train_twice", "val_ones 0.", "val_f1 0.6250"})
    CHECK_MESSAGE(contains(text, part), part, " in ", text);
}

TEST_CASE("a metric of one's own decides about early stopping, the best weights and the checkpoint that is kept") {
  // It rises to the fourth evaluation and falls from there on, whatever the loss does.
  const TempDir dir;
  auto model = small_model();
  std::vector<std::uint64_t> hashes;
  Measuring trainer{
      model,
      cross_entropy,
      {.epochs = 100,
       .lr = 0.02,
       .monitor = "val_f1",
       .mode = MonitorMode::max,
       .patience = 5,
       .checks = {.overfit_batch = off},
       .checkpoints = train::CheckpointOptions{.dir = dir.path(), .name = "f1", .every_n_steps = 4, .keep_last = 2},
       .sinks = {}}};
  trainer.validation_start = [&] {
    hashes.push_back(hash_of(model));
    trainer.f1 = 1 - 0.1 * std::abs(4 - static_cast<double>(hashes.size()));
  };
  const auto result = trainer.fit(points(128), points(50, 2));
  CHECK(result.reason == train::StopReason::early_stopping);
  CHECK(result.epochs == 9);
  REQUIRE(result.best);
  CHECK(result.best->epoch == 4);
  CHECK(result.best->value == doctest::Approx(1));
  CHECK(result.best->evaluation.metrics.at(1).value == result.best->value);
  CHECK(hash_of(model) == hashes.at(3));

  // Epochs have four steps, and a checkpoint each behind that of the start: the last two and that of the best.
  CHECK(std::filesystem::exists(dir.path() / "f1" / "1" / "checkpoint-000005.hrc"));
  CHECK(std::filesystem::exists(dir.path() / "f1" / "1" / "checkpoint-000010.hrc"));
  CHECK(train::list_checkpoints(dir.path() / "f1" / "1").size() == 3);
  const auto kept = train::load_checkpoint(dir.path() / "f1" / "1" / "checkpoint-000005.hrc");
  CHECK(kept.best->value == result.best->value);
  train::restore(model, kept.parameters, kept.buffers);
  CHECK(hash_of(model) == hashes.at(3));
}

TEST_CASE("a monitored metric without a value is named") {
  auto model = small_model();
  Measuring trainer{
      model,
      cross_entropy,
      {.epochs = 2, .lr = 0.02, .monitor = "val_f1", .mode = MonitorMode::max, .checkpoints = off, .sinks = {}}};
  trainer.f1 = std::numeric_limits<double>::quiet_NaN();
  const auto result = trainer.fit(points(128), points(50, 2));
  CHECK_FALSE(result.best);
  CHECK(find_anomaly(result, "non_finite_metric"));

  Measuring in_training{model, cross_entropy,
                        quiet({.epochs = 2, .lr = 0.02, .validation_split = off, .monitor = "train_twice"})};
  in_training.twice = trainer.f1;
  const auto trained = in_training.fit(points(128));
  REQUIRE(find_anomaly(trained, "non_finite_metric"));
  CHECK(find_anomaly(trained, "non_finite_metric")->where == "train_twice");
}

TEST_CASE("the accuracy can be monitored, on validation or the training loss without any") {
  auto model = small_model();
  train::Trainer by_accuracy(model, cross_entropy,
                             quiet({.epochs = 5, .lr = 0.01, .monitor = "val_accuracy", .mode = MonitorMode::max}));
  const auto result = by_accuracy.fit(points(300));
  REQUIRE(result.best);
  CHECK(result.best->value == result.best->evaluation.accuracy());

  auto other = small_model();
  train::Trainer by_training(other, cross_entropy,
                             quiet({.epochs = 4, .lr = 0.01, .validation_split = off, .monitor = "train_loss"}));
  const auto trained = by_training.fit(points(300));
  REQUIRE(trained.best);
  CHECK(trained.best->value == trained.train_loss);
  CHECK(trained.best_restored);

  Measuring by_metric(
      other, cross_entropy,
      quiet({.epochs = 4, .lr = 0.01, .validation_split = off, .monitor = "train_ones", .patience = 1}));
  CHECK(by_metric.fit(points(300)).reason == train::StopReason::early_stopping);  // it never changes
}

TEST_CASE("an unknown monitor is refused before the first step, with the names there are") {
  auto model = small_model();
  const auto before = hash_of(model);
  Measuring trainer(model, cross_entropy, quiet({.epochs = 5, .monitor = "val_f2", .mode = MonitorMode::max}));
  trainer.step_start = [](std::int64_t) { FAIL_CHECK("no step is to be made"); };
  check_throws<OptionError>([&] { trainer.fit(points(100)); }, "'val_f2'", "train_loss", "train_twice", "val_loss",
                            "val_accuracy", "val_f1", "val_ones");
  CHECK(hash_of(model) == before);

  Measuring blind(model, cross_entropy,
                  quiet({.epochs = 5, .validation_split = off, .monitor = "val_f1", .mode = MonitorMode::max}));
  check_throws<OptionError>([&] { blind.fit(points(100)); }, "'val_f1'", "train_loss", "train_ones");
}

TEST_CASE("the wrong mode for an accuracy or a loss is refused") {
  auto model = small_model();
  check_throws<OptionError>([&] { train::Trainer(model, cross_entropy, {.epochs = 1, .monitor = "val_accuracy"}); },
                            "mode = max", "val_accuracy");
  check_throws<OptionError>(
      [&] { train::Trainer(model, cross_entropy, {.epochs = 1, .monitor = "train_loss", .mode = MonitorMode::max}); },
      "mode = min", "train_loss");
}

TEST_CASE("evaluations come in the middle of long epochs, and each counts for early stopping") {
  auto model = small_model();
  const auto log = std::make_shared<train::MemorySink>();
  TrainerOptions options = quiet({.epochs = 2,
                                  .lr = 0.05,
                                  .warmup = off,
                                  .val_check_interval = 10,
                                  .patience = 4,
                                  .improvement = train::Improvement::plain});
  options.sinks = {log};
  Measuring trainer(model, cross_entropy, options);
  const auto result = trainer.fit(points(32 * 25), points(60, 2));
  REQUIRE(log->evaluations.size() >= 3);
  CHECK(log->evaluations[0].step == 10);
  CHECK(log->evaluations[1].step == 20);
  CHECK(log->evaluations[2].step == 25);  // the end of the epoch
  CHECK(log->evaluations.back().step <= 50);

  auto noisy = small_model();
  Measuring stopping(noisy, cross_entropy,
                     quiet({.epochs = 2,
                            .lr = 0.05,
                            .val_check_interval = 5,
                            .monitor = "val_f1",
                            .mode = MonitorMode::max,
                            .patience = 3}));
  const auto stopped = stopping.fit(points(32 * 25), points(60, 2));
  CHECK(stopped.reason == train::StopReason::early_stopping);
  CHECK(stopped.best->step == 25);  // the metric is as good from step 5 on, and the loss falls until then
  CHECK(stopped.steps == 40);  // three are no better; an epoch has 25 steps
  CHECK(stopped.epochs == 1);
}
