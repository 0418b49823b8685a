#include <doctest/doctest.h>

#include <chrono>
#include <cmath>
#include <filesystem>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <handrail/train/checkpoints/checkpoint.h>

#include "support/files.h"
#include "support/hash.h"
#include "support/tasks.h"

using namespace handrail;
using train::off;
using train::StopReason;
using train::TrainerOptions;

namespace {

struct Way {
  const char* name;
  StopReason reason;
  std::function<void(Poisoned&)> arrange;
  std::function<void(TrainerOptions&)> change = [](TrainerOptions&) {};
};

[[noreturn]] void mine() { throw std::runtime_error("mine"); }

// All of them end after 50 steps or more, seven epochs and as many evaluations.
const std::vector<Way>& ways() {
  static const std::vector<Way> all{
      {"all epochs done", StopReason::finished, [](Poisoned&) {}, [](auto& o) { o.epochs = 8, o.patience = off; }},
      {"early stopping", StopReason::early_stopping, [](Poisoned&) {}},
      {"a hook's stop in the middle of an epoch", StopReason::requested,
       [](Poisoned& t) {
         t.step_end = [&t](const train::StepStats& stats) {
           if (stats.step == 52) t.stop();
         };
       }},
      {"a hook's stop at the end of an epoch", StopReason::requested,
       [](Poisoned& t) {
         t.epoch_end = [&t](const train::EpochStats& stats) {
           if (stats.epoch == 8) t.stop();
         };
       }},
      {"the time limit", StopReason::max_time,
       [](Poisoned& t) {
         t.epoch_start = [](Index epoch) {
           if (epoch == 8) std::this_thread::sleep_for(std::chrono::milliseconds(650));
         };
       },
       [](auto& o) { o.max_seconds = 0.6; }},
      {"a guard", StopReason::guard, [](Poisoned& t) { t.bad = [](std::int64_t attempt) { return attempt > 52; }; }},
      {"an answer to an anomaly", StopReason::guard,
       [](Poisoned& t) {
         t.bad = [](std::int64_t attempt) { return attempt == 52; };
         t.anomaly = [](const train::Anomaly&) { return train::Action::stop; };
       }},
      {"training_step", StopReason::exception,
       [](Poisoned& t) { t.bad = [](std::int64_t attempt) -> bool { return attempt == 52 ? mine(), true : false; }; }},
      {"on_step_start", StopReason::exception,
       [](Poisoned& t) {
         t.step_start = [](std::int64_t step) {
           if (step == 52) mine();
         };
       }},
      {"on_step_end", StopReason::exception,
       [](Poisoned& t) {
         t.step_end = [](const train::StepStats& stats) {
           if (stats.step == 52) mine();
         };
       }},
      {"on_epoch_start", StopReason::exception,
       [](Poisoned& t) {
         t.epoch_start = [](Index epoch) {
           if (epoch == 9) mine();
         };
       }},
      {"on_validation_start", StopReason::exception,
       [](Poisoned& t) {
         t.validation_start = [count = 0]() mutable {
           if (++count == 9) mine();
         };
       }},
      {"on_validation_end", StopReason::exception,
       [](Poisoned& t) {
         t.validation_end = [](const train::EvaluationStats& stats) {
           if (stats.epoch == 9) mine();
         };
       }},
      {"on_epoch_end", StopReason::exception,
       [](Poisoned& t) {
         t.epoch_end = [](const train::EpochStats& stats) {
           if (stats.epoch == 8) mine();
         };
       }},
      {"on_anomaly", StopReason::exception,
       [](Poisoned& t) {
         t.bad = [](std::int64_t attempt) { return attempt == 52; };
         t.anomaly = [](const train::Anomaly&) -> train::Action { mine(); };
       }},
      {"on_exception, after another one", StopReason::exception,
       [](Poisoned& t) {
         t.bad = [](std::int64_t attempt) -> bool { return attempt == 52 ? mine(), true : false; };
         t.exception = [] { throw std::logic_error("late"); };
       }},
      {"on_checkpoint at the end", StopReason::exception,
       [](Poisoned& t) { t.checkpoint = [](const std::filesystem::path&) { mine(); }; },
       [](auto& o) { o.epochs = 8, o.patience = off; }},
      {"on_fit_end", StopReason::finished,
       [](Poisoned& t) {
         t.fit_end = [end = t.fit_end](const train::FitResult& result) {
           end(result);
           mine();
         };
       },
       [](auto& o) { o.epochs = 8, o.patience = off; }},
  };
  return all;
}

}  // namespace

TEST_CASE("whatever ends a run, a checkpoint of its last state is written first and the best weights are restored") {
  const auto data = coin_flips(200), validation = coin_flips(300, 2);
  for (const Way& way : ways()) {
    CAPTURE(way.name);
    const TempDir dir;
    auto model = small_model();
    TrainerOptions options{.epochs = 100,
                           .lr = 0.05,
                           .warmup = off,
                           .guards = {.divergence = off},
                           .checkpoints = train::CheckpointOptions{.dir = dir.path()},
                           .sinks = {}};
    way.change(options);
    const auto log = std::make_shared<train::MemorySink>();
    options.sinks = {log};
    Poisoned trainer(model, cross_entropy, options);
    std::vector<train::FitResult> ends;
    trainer.fit_end = [&](const train::FitResult& result) { ends.push_back(result); };
    way.arrange(trainer);
    std::uint64_t best = 0, at_checkpoint = 0;
    trainer.validation_end = [&, next = trainer.validation_end](const train::EvaluationStats& stats) {
      if (stats.best) best = hash_of(model);
      if (next) next(stats);
    };
    trainer.checkpoint = [&, next = trainer.checkpoint](const std::filesystem::path& path) {
      at_checkpoint = hash_of(model);
      if (next) next(path);
    };

    std::string thrown;
    try {
      trainer.fit(data, validation);
    } catch (const std::exception& error) {
      thrown = error.what();
    }
    REQUIRE(ends.size() == 1);
    const train::FitResult& end = ends[0];
    CHECK(end.reason == way.reason);
    CHECK((thrown == "mine") == (way.reason == StopReason::exception || way.name == std::string("on_fit_end")));
    CHECK(log->results.size() == 1);
    CHECK(Tape::active() == nullptr);

    REQUIRE(end.best);
    CHECK(end.best_restored);
    CHECK(best != 0);
    CHECK(hash_of(model) == best);
    CHECK(at_checkpoint != 0);
    CHECK(at_checkpoint != best);
    const auto saved = train::load_checkpoint(end.checkpoint);
    CHECK(saved.progress.step >= 48);
    CHECK(saved.best->step == end.best->step);
    if (way.reason == StopReason::guard || way.name == std::string("on_anomaly"))
      CHECK(saved.progress.step <= 52);  // the last good state
    else
      CHECK(saved.progress.step == end.steps);
    CHECK(end.steps >= 49);
  }
}

TEST_CASE("early stopping waits for 10 evaluations without a better one") {
  auto model = small_model();
  const auto log = std::make_shared<train::MemorySink>();
  TrainerOptions options = quiet({.epochs = 200, .lr = 0.05, .improvement = train::Improvement::plain});
  options.sinks = {log};
  train::Trainer trainer(model, cross_entropy, options);
  const auto result = trainer.fit(coin_flips(200), coin_flips(100, 2));
  CHECK(result.reason == StopReason::early_stopping);
  REQUIRE(result.best);
  CHECK(result.epochs == result.best->epoch + 10);
  CHECK(log->evaluations.size() == static_cast<std::size_t>(result.epochs));
  CHECK(trainer.evaluate(coin_flips(100, 2)).loss == result.best->evaluation.loss);
  for (const auto& stats : log->evaluations) CHECK(stats.evaluation.loss >= result.best->value);

  options.patience = off;
  options.epochs = 40;
  auto again = small_model();
  CHECK(train::Trainer(again, cross_entropy, options).fit(coin_flips(200), coin_flips(100, 2)).epochs == 40);
}

TEST_CASE("with restore_best off the model keeps the weights of the last step") {
  auto model = small_model();
  std::uint64_t last = 0;
  Hooked trainer(
      model, cross_entropy,
      quiet(
          {.epochs = 30, .lr = 0.05, .patience = off, .improvement = train::Improvement::plain, .restore_best = off}));
  trainer.epoch_end = [&](const train::EpochStats&) { last = hash_of(model); };
  const auto result = trainer.fit(coin_flips(200), coin_flips(100, 2));
  CHECK_FALSE(result.best_restored);
  CHECK(result.best->epoch < 30);
  CHECK(hash_of(model) == last);
}

TEST_CASE("a run that ends before any evaluation keeps its weights and does not look perfect") {
  auto model = small_model();
  const auto before = hash_of(model);
  Hooked trainer(model, cross_entropy, quiet({.epochs = 2, .lr = 0.01}));
  trainer.step_end = [&](const train::StepStats& stats) {
    if (stats.step == 3) trainer.stop();
  };
  const auto result = trainer.fit(points(1000));
  CHECK(result.reason == StopReason::requested);
  CHECK(result.steps == 3);
  CHECK(std::isnan(result.train_loss));
  CHECK_FALSE(result.validation.has_value());
  CHECK_FALSE(result.best.has_value());
  CHECK_FALSE(result.best_restored);
  CHECK(hash_of(model) != before);

  // The wish to stop is over with the run.
  trainer.step_end = {};
  CHECK(trainer.fit(points(200)).reason == StopReason::finished);
}

TEST_CASE("an exception before the first step leaves the model as it was, and on_fit_end is called") {
  struct Throwing : Hooked {
    using Hooked::Hooked;
    int count = 0;
    train::StepOutput training_step(const train::Batch& batch) override {
      if (++count == 20) mine();
      return Hooked::training_step(batch);
    }
  };
  NormModel model;
  const auto before = hash_of(model);
  Throwing trainer(model, cross_entropy, quiet({.epochs = 2}));
  StopReason reason = StopReason::finished;
  trainer.fit_end = [&](const train::FitResult& result) { reason = result.reason; };
  CHECK_THROWS_WITH(trainer.fit(points(200)), "mine");
  CHECK(reason == StopReason::exception);
  CHECK(hash_of(model) == before);
}

TEST_CASE("the time limit is seen within a step or two when steps are slow") {
  auto model = small_model();
  Hooked trainer(model, cross_entropy, bare({.epochs = 2, .lr = 0.01, .max_seconds = 0.15}));
  trainer.step_start = [](std::int64_t step) {
    if (step > 10) std::this_thread::sleep_for(std::chrono::milliseconds(40));
  };
  const auto result = trainer.fit(points(2000));
  CHECK(result.reason == StopReason::max_time);
  CHECK(result.steps < 40);  // of 114; quick steps had made it look rarely
}
