#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "support/files.h"
#include "support/tasks.h"

using namespace handrail;
using train::off;
using train::TrainerOptions;

namespace {

std::vector<train::SummaryItem> summary(const std::function<void(TrainerOptions&)>& change = [](TrainerOptions&) {}) {
  const TempDir dir;
  auto model = small_model();
  const auto log = std::make_shared<train::MemorySink>();
  TrainerOptions options{
      .epochs = 1, .checkpoints = train::CheckpointOptions{.dir = dir.path(), .name = "run"}, .sinks = {log}};
  change(options);
  train::Trainer trainer(model, cross_entropy, options);
  const auto result = trainer.fit(points(100));
  const auto& shown = options.sinks.empty() ? result.summary : log->starts.at(0).summary;
  REQUIRE(result.summary.size() == shown.size());
  for (std::size_t i = 0; i < shown.size(); ++i) {
    CHECK(result.summary[i].name == shown[i].name);
    if (shown[i].name != "lr" || options.lr) CHECK(result.summary[i].value == shown[i].value);
    CHECK_FALSE(shown[i].value.empty());
  }
  return result.summary;
}

const train::SummaryItem* find(const std::vector<train::SummaryItem>& items, const std::string& name) {
  for (const auto& item : items)
    if (item.name == name) return &item;
  return nullptr;
}

}  // namespace

TEST_CASE("the summary has a line for every protection, and by default none is off") {
  const auto items = summary();
  for (const char* name :
       {"model", "data", "validation", "optimizer", "lr", "warmup", "lr decay", "weight decay", "clip", "smoothing",
        "early stopping", "restore best", "checkpoints", "guards", "checks", "log", "seed"}) {
    CAPTURE(name);
    REQUIRE(find(items, name));
  }
  for (const auto& item : items) CHECK_MESSAGE(!item.off, item.name);
  for (const char* guard : {"non_finite", "spike", "divergence", "plateau", "slow_progress", "overfitting",
                            "clip_pressure", "layers", "labels"})
    CHECK(contains(find(items, "guards")->value, guard));
  for (const char* check : {"finite", "labels", "input_scale", "duplicates", "initial_loss", "reach", "overfit_batch"})
    CHECK(contains(find(items, "checks")->value, check));
  CHECK(contains(find(items, "seed")->value, "42"));
  CHECK(contains(find(items, "weight decay")->value, "0.01 on 2 tensors ('decay'), 0 on 2 tensors ('no_decay')"));
}

TEST_CASE("every opt-out is marked in a line of its own") {
  struct Row {
    const char* name;
    std::function<void(TrainerOptions&)> change;
  };
  const std::vector<Row> rows{
      {"lr finder", [](auto& o) { o.lr = 0.01; }},
      {"lr scaling", [](auto& o) { o.lr = 0.01, o.lr_scaling = train::LrScaling::none; }},
      {"lr decay", [](auto& o) { o.decay = train::Decay::constant; }},
      {"warmup", [](auto& o) { o.warmup = off; }},
      {"check_warmup", [](auto& o) { o.check_warmup = off, o.warmup = 0.5; }},
      {"weight decay", [](auto& o) { o.weight_decay = off; }},
      {"decay_exempt", [](auto& o) { o.decay_exempt = off; }},
      {"clip", [](auto& o) { o.clip_norm = off; }},
      {"smoothing", [](auto& o) { o.ema_beta = off; }},
      {"validation", [](auto& o) { o.validation_split = off; }},
      {"stratify", [](auto& o) { o.stratify = off; }},
      {"early stopping", [](auto& o) { o.patience = off; }},
      {"improvement", [](auto& o) { o.improvement = train::Improvement::plain; }},
      {"restore best", [](auto& o) { o.restore_best = off; }},
      {"checkpoints", [](auto& o) { o.checkpoints = off; }},
      {"default optimizer", [](auto& o) { o.optimizer = train::with<optim::SGD>(); }},
      {"log", [](auto& o) { o.sinks = {}; }},
      {"fixed seed", [](auto& o) { o.seed = train::random_seed(); }},
      {"overfit_batches", [](auto& o) { o.overfit_batches = 1; }},
      {"fast_dev_run", [](auto& o) { o.fast_dev_run = true; }},
      {"guards.non_finite", [](auto& o) { o.guards.non_finite = off; }},
      {"guards.spike", [](auto& o) { o.guards.spike = off; }},
      {"guards.divergence", [](auto& o) { o.guards.divergence = off; }},
      {"guards.plateau", [](auto& o) { o.guards.plateau = off; }},
      {"guards.slow_progress", [](auto& o) { o.guards.slow_progress = off; }},
      {"guards.overfitting", [](auto& o) { o.guards.overfitting = off; }},
      {"guards.clip_pressure", [](auto& o) { o.guards.clip_pressure = off; }},
      {"guards.layers", [](auto& o) { o.guards.layers = off; }},
      {"guards.labels", [](auto& o) { o.guards.labels = off; }},
      {"checks.finite", [](auto& o) { o.checks.finite = off; }},
      {"checks.labels", [](auto& o) { o.checks.labels = off; }},
      {"checks.input_scale", [](auto& o) { o.checks.input_scale = off; }},
      {"checks.duplicates", [](auto& o) { o.checks.duplicates = off; }},
      {"checks.initial_loss", [](auto& o) { o.checks.initial_loss = off; }},
      {"checks.reach", [](auto& o) { o.checks.reach = off; }},
      {"checks.overfit_batch", [](auto& o) { o.checks.overfit_batch = off; }},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const auto items = summary(row.change);
    const auto* item = find(items, row.name);
    REQUIRE(item);
    CHECK(item->off);
  }
}

TEST_CASE("without a validation set the summary says what falls with it") {
  const auto items = summary([](auto& o) { o.validation_split = off; });
  CHECK(find(items, "early stopping")->off);
  CHECK(find(items, "restore best")->off);
  const auto watched = summary([](auto& o) { o.validation_split = off, o.monitor = "train_loss"; });
  CHECK_FALSE(find(watched, "early stopping")->off);
}

TEST_CASE("the summary tells what was derived") {
  const auto items = summary([](auto& o) { o.lr = 0.01, o.batch_size = 16, o.accumulate_grad_batches = 8; });
  CHECK(find(items, "lr")->value == "0.02, given as 0.01 for 32 samples a step, of 128");
  CHECK(find(items, "data")->value == "90 samples, batches of 16 x 8 accumulated, 6 to an epoch, 1 epochs");
  CHECK(contains(find(items, "validation")->value, "10 samples, 10 % split off by seed, of every class"));
}
