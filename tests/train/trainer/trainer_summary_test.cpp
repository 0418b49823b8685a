#include <doctest/doctest.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <handrail/train/run/summary.h>

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

using Rate = double (*)(double lr, std::int64_t step, std::int64_t planned_steps);

/// With an optimizer of its own, and a schedule when there is a rate.
struct Subclass : train::Trainer {
  using Trainer::Trainer;
  Rate rate = nullptr;
  double decay = 0;

 protected:
  optim::Schedule configure_schedule(double lr, std::int64_t planned_steps) override {
    if (!rate) return Trainer::configure_schedule(lr, planned_steps);
    return [own = rate, lr, planned_steps](std::int64_t step) { return own(lr, step, planned_steps); };
  }
  std::unique_ptr<optim::Optimizer> configure_optimizer() override {
    return std::make_unique<optim::SGD>(optim::decay_groups(model().parameters(), decay));
  }
};

std::vector<train::SummaryItem> summary_of_subclass(Rate rate, double decay) {
  auto model = small_model();
  Subclass trainer(model, cross_entropy, quiet({.epochs = 4, .lr = 0.01, .lr_scaling = train::LrScaling::none}));
  trainer.rate = rate;
  trainer.decay = decay;
  return trainer.fit(points(100)).summary;
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
      {"guards.non_finite", [](auto& o) { o.guards.non_finite = off; }},
      {"guards.spike", [](auto& o) { o.guards.spike = off; }},
      {"guards.divergence", [](auto& o) { o.guards.divergence = off; }},
      {"guards.plateau", [](auto& o) { o.guards.plateau = off; }},
      {"guards.slow_progress", [](auto& o) { o.guards.slow_progress = off; }},
      {"guards.overfitting", [](auto& o) { o.guards.overfitting = off; }},
      {"guards.clip_pressure", [](auto& o) { o.guards.clip_pressure = off; }},
      {"guards.layers", [](auto& o) { o.guards.layers = off; }},
      {"guards.monitor", [](auto& o) { o.guards.monitor = off; }},
      {"guards.duration", [](auto& o) { o.guards.duration = off; }},
      {"guards.oscillation", [](auto& o) { o.guards.oscillation = off; }},
      {"guards.overwrites", [](auto& o) { o.guards.overwrites = off; }},
      {"guards.evaluation", [](auto& o) { o.guards.evaluation = off; }},
      {"guards.linear", [](auto& o) { o.guards.linear = off; }},
      {"guards.labels", [](auto& o) { o.guards.labels = off; }},
      {"checks.finite", [](auto& o) { o.checks.finite = off; }},
      {"checks.labels", [](auto& o) { o.checks.labels = off; }},
      {"checks.input_scale", [](auto& o) { o.checks.input_scale = off; }},
      {"checks.duplicates", [](auto& o) { o.checks.duplicates = off; }},
      {"checks.initial_loss", [](auto& o) { o.checks.initial_loss = off; }},
      {"checks.reach", [](auto& o) { o.checks.reach = off; }},
      {"checks.settings", [](auto& o) { o.checks.settings = off; }},
      {"checks.structure", [](auto& o) { o.checks.structure = off; }},
      {"checks.initial_weights", [](auto& o) { o.checks.initial_weights = off; }},
      {"checks.dependence", [](auto& o) { o.checks.dependence = off; }},
      {"checks.gradients", [](auto& o) { o.checks.gradients = off; }},
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

TEST_CASE("a limit that is on is marked as a limit, not as a protection that is off") {
  struct Row {
    const char* name;
    std::function<void(TrainerOptions&)> change;
  };
  const std::vector<Row> rows{
      {"overfit_batches", [](auto& o) { o.overfit_batches = 1; }},
      {"fast_dev_run", [](auto& o) { o.fast_dev_run = true; }},
      {"limit_train_batches", [](auto& o) { o.limit_train_batches = 2; }},
      {"limit_val_batches", [](auto& o) { o.limit_val_batches = 2; }},
      {"max_seconds", [](auto& o) { o.max_seconds = 100; }},
  };
  for (const auto& item : summary()) CHECK_MESSAGE(!item.limit, item.name);
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const auto items = summary(row.change);
    const auto* item = find(items, row.name);
    REQUIRE(item);
    CHECK(item->limit);
    CHECK_FALSE(item->off);
  }
  const auto overfit = summary([](auto& o) { o.overfit_batches = 1; });
  CHECK(find(overfit, "guards.overfitting")->off);  // overfitting is what is asked for
  const auto dev_run = summary([](auto& o) { o.fast_dev_run = true; });
  CHECK(find(dev_run, "checks")->off);  // it makes none
}

TEST_CASE("the summary shows the schedule and the optimizer of a subclass, not those of the options") {
  const auto plain = summary_of_subclass(nullptr, 0.1);
  CHECK_FALSE(find(plain, "lr schedule"));
  CHECK(find(plain, "lr decay")->value == "cosine to 0");
  CHECK(contains(find(plain, "optimizer")->value, "SGD"));
  CHECK(find(plain, "default optimizer")->off);
  CHECK(contains(find(plain, "weight decay")->value, "0.1 on 2 tensors ('decay')"));
  const auto own = summary_of_subclass(
      [](double lr, std::int64_t step, std::int64_t planned) { return step == planned ? lr / 10 : lr; }, 0);
  REQUIRE(find(own, "lr schedule"));
  CHECK(find(own, "lr schedule")->value ==
        "by configure_schedule: 0.01 at step 1, at most 0.01, 0.001 at the last step");
  CHECK_FALSE(find(own, "lr decay"));
  CHECK_FALSE(find(own, "warmup"));
  CHECK(find(own, "weight decay")->off);
}

TEST_CASE("a schedule that differs at a few steps in the middle is the program's own") {
  const auto trainers = optim::warmup_cosine({.peak = 0.01, .warmup_steps = 50, .total_steps = 1000});
  CHECK(train::describe_own_schedule(trainers, trainers, 1000).empty());
  const optim::Schedule steps = [&](std::int64_t step) { return step > 400 && step < 420 ? 0.5 : trainers(step); };
  CHECK(contains(train::describe_own_schedule(steps, trainers, 1000), "at most 0.5,"));
  CHECK(train::describe_own_schedule(optim::constant(0.1), optim::constant(0.1), 1).empty());
}

TEST_CASE("without a validation set the summary says which protections need one") {
  const auto items = summary([](auto& o) { o.validation_split = off; });
  CHECK(find(items, "early stopping")->off);
  CHECK(find(items, "restore best")->off);
  const auto unclipped = summary([](auto& o) { o.clip_norm = off, o.checkpoints = off; });
  CHECK(find(unclipped, "guards.clip_pressure")->off);
  CHECK_FALSE(contains(find(unclipped, "signals")->value, "checkpoint"));
  CHECK(contains(find(items, "signals")->value, "checkpoint"));
  const auto watched = summary([](auto& o) { o.validation_split = off, o.monitor = "train_loss"; });
  CHECK_FALSE(find(watched, "early stopping")->off);
}

TEST_CASE("the summary shows what was derived") {
  const auto items = summary([](auto& o) { o.lr = 0.01, o.batch_size = 16, o.accumulate_grad_batches = 8; });
  CHECK(find(items, "lr")->value == "0.01677, given as 0.01 for 32 samples per step, scaled to 90");
  CHECK(find(items, "data")->value == "90 samples, 6 batches of 16 per epoch, 8 batches per step, 1 epoch");
  CHECK(contains(find(items, "validation")->value, "10 samples, 10 % of every class, split off by seed"));
}
