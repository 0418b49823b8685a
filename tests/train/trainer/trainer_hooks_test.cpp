#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/files.h"
#include "support/hash.h"
#include "support/tasks.h"

using namespace handrail;
using train::Action;
using train::off;

namespace {

// Writes every call down.
void record(Hooked& t, std::vector<std::string>& calls) {
  t.fit_start = [&calls] { calls.push_back("fit_start"); };
  t.epoch_start = [&calls](Index epoch) { calls.push_back("epoch_start " + std::to_string(epoch)); };
  t.step_start = [&calls](std::int64_t step) { calls.push_back("step_start " + std::to_string(step)); };
  t.step_end = [&calls](const train::StepStats& s) { calls.push_back("step_end " + std::to_string(s.step)); };
  t.log = [&calls](const train::StepStats& s) { calls.push_back("log " + std::to_string(s.step)); };
  t.validation_start = [&calls] { calls.push_back("validation_start"); };
  t.validation_end = [&calls](const train::EvaluationStats& s) {
    calls.push_back("validation_end " + std::to_string(s.step));
  };
  t.epoch_end = [&calls](const train::EpochStats& s) { calls.push_back("epoch_end " + std::to_string(s.epoch)); };
  t.checkpoint = [&calls](const std::filesystem::path&) { calls.push_back("checkpoint"); };
  t.exception = [&calls] { calls.push_back("exception"); };
  t.anomaly = [&calls](const train::Anomaly& anomaly) {
    calls.push_back(anomaly.name);
    return anomaly.action;
  };
  t.fit_end = [&calls](const train::FitResult& r) { calls.push_back(std::string("fit_end ") + to_string(r.reason)); };
}

}  // namespace

TEST_CASE("hooks come in order, the checkpoint last") {
  const TempDir dir;
  auto model = small_model();
  Hooked trainer{model,
                 cross_entropy,
                 {.epochs = 2,
                  .lr = 0.01,
                  .val_check_interval = 3,
                  .guards = {.duration = off, .linear = off},
                  .checks = {.duplicates = off, .settings = off},
                  .checkpoints = train::CheckpointOptions{.dir = dir.path(), .every_n_steps = 2},
                  .log_every_n_steps = 2,
                  .sinks = {}}};
  std::vector<std::string> calls;
  record(trainer, calls);
  trainer.fit(points(64), points(20, 2));
  const std::vector<std::string> want{
      "fit_start",    "epoch_start 1",    "step_start 1",     "step_end 1",       "step_start 2", "step_end 2",
      "log 2",        "validation_start", "validation_end 2", "epoch_end 1",      "checkpoint",   "epoch_start 2",
      "step_start 3", "step_end 3",       "validation_start", "validation_end 3", "step_start 4", "step_end 4",
      "log 4",        "validation_start", "validation_end 4", "epoch_end 2",      "checkpoint",   "fit_end finished"};
  CHECK(calls == want);
}

TEST_CASE("on_exception and on_fit_end come when a step throws, and the checkpoint between them") {
  const TempDir dir;
  auto model = small_model();
  Hooked trainer{model,
                 cross_entropy,
                 {.epochs = 2,
                  .lr = 0.01,
                  .validation_split = off,
                  .checks = {.settings = off},
                  .checkpoints = train::CheckpointOptions{.dir = dir.path()},
                  .sinks = {}}};
  std::vector<std::string> calls;
  record(trainer, calls);
  trainer.step_end = [](const train::StepStats& stats) {
    if (stats.step == 2) throw std::runtime_error("mine");
  };
  CHECK_THROWS_WITH(trainer.fit(points(64)), "mine");
  CHECK(calls == std::vector<std::string>{"fit_start", "epoch_start 1", "step_start 1", "step_start 2", "exception",
                                          "checkpoint", "fit_end stopped by an exception"});
  CHECK(Tape::active() == nullptr);
}

TEST_CASE("sinks get notes too, and a note becomes a warning when on_anomaly acts on it") {
  struct Chatty : train::Guard {
    const char* name() const override { return "chatty"; }
    std::optional<train::Anomaly> accepted(const train::StepStats& stats) override {
      if (stats.step != 3) return std::nullopt;
      return train::Anomaly{.name = "step_three",
                            .step = 3,
                            .evidence = "it was reached",
                            .cause = {},
                            .remedy = {},
                            .severity = train::Severity::note};
    }
  };
  struct Acting : train::Trainer {
    using Trainer::Trainer;
    std::vector<std::unique_ptr<train::Guard>> configure_guards() override {
      std::vector<std::unique_ptr<train::Guard>> guards;
      guards.push_back(std::make_unique<Chatty>());
      return guards;
    }
    Action on_anomaly(const train::Anomaly&) override { return answer; }
    Action answer = Action::proceed;
  };
  for (const auto& [answer, severity] :
       {std::pair(Action::proceed, train::Severity::note), std::pair(Action::reduce_lr, train::Severity::warning)}) {
    auto model = small_model();
    const auto log = std::make_shared<train::MemorySink>();
    train::TrainerOptions options = bare({.epochs = 1, .lr = 0.01});
    options.sinks = {log};
    Acting trainer(model, cross_entropy, options);
    trainer.answer = answer;
    const auto result = trainer.fit(points(256));
    REQUIRE(log->anomalies.size() == 1);
    CHECK(log->anomalies[0].severity == severity);
    CHECK(result.anomalies.at(0).severity == severity);
  }
}

TEST_CASE("on_anomaly gets the anomalies of a step between its start and its end, and its answer is done") {
  auto run = [](Action answer) {
    auto model = small_model();
    Poisoned trainer(model, cross_entropy, bare({.epochs = 2, .lr = 0.01, .decay = train::Decay::constant}));
    trainer.bad = [](std::int64_t attempt) { return attempt == 20; };
    const auto log = std::make_shared<train::MemorySink>();
    std::vector<std::string> calls;
    record(trainer, calls);
    trainer.anomaly = [&calls, answer](const train::Anomaly& anomaly) {
      calls.push_back(anomaly.name);
      CHECK(anomaly.action == Action::skip);
      return answer;
    };
    std::vector<train::StepStats> steps;
    trainer.step_end = [&](const train::StepStats& stats) {
      calls.push_back("step_end " + std::to_string(stats.step));
      steps.push_back(stats);
    };
    const auto result = trainer.fit(points(1000));
    const auto at = std::ranges::find(calls, "non_finite");
    REQUIRE(at != calls.end());
    CHECK(*std::prev(at) == "step_start 20");
    CHECK(*std::next(at) == "step_end 20");
    CHECK(result.anomalies.at(0).action == answer);
    CHECK(all_finite(model));
    CHECK_FALSE(steps.at(19).updated);  // whatever is answered
    CHECK(result.skipped == 1);
    return std::pair(result, steps);
  };
  const auto [skipped, skipped_steps] = run(Action::skip);
  CHECK(skipped.steps == 57);
  CHECK(skipped_steps.at(20).step == 20);
  const auto [proceeded, proceeded_steps] = run(Action::proceed);
  CHECK(proceeded.steps == 57);
  CHECK(proceeded.rollbacks == 0);
  CHECK(proceeded.anomalies.size() == 1);
  const auto [reduced, reduced_steps] = run(Action::reduce_lr);
  CHECK(reduced_steps.at(20).lr == doctest::Approx(0.5 * skipped_steps.at(20).lr));
  const auto [rolled, rolled_steps] = run(Action::rollback);
  CHECK(rolled.rollbacks == 1);
  CHECK(rolled_steps.at(20).lr == doctest::Approx(0.5 * skipped_steps.at(20).lr));
  const auto [stopped, stopped_steps] = run(Action::stop);
  CHECK(stopped.reason == train::StopReason::guard);
  CHECK(stopped_steps.size() == 20);
}

TEST_CASE("a gradient that is not finite is refused even when the user's answer is to proceed, and counted once") {
  auto model = small_model();
  Poisoned trainer(model, cross_entropy, bare({.epochs = 2, .lr = 0.01}));
  trainer.in_gradient = true;
  trainer.bad = [](std::int64_t attempt) { return attempt > 10; };
  trainer.anomaly = [](const train::Anomaly&) { return Action::proceed; };
  const auto result = trainer.fit(points(1000));
  CHECK(result.steps == 10);
  CHECK(result.skipped == 48);
  CHECK(result.anomaly_counts.at("non_finite") == 48);
  CHECK(all_finite(model));
}

TEST_CASE("the answer to a warning before the first step counts too") {
  auto model = small_model();
  const auto before = hash_of(model);
  Hooked trainer(model, cross_entropy, quiet({.epochs = 2, .lr = 0.01, .standardize = off}));
  std::vector<std::string> names;
  trainer.anomaly = [&](const train::Anomaly& anomaly) {
    names.push_back(anomaly.name);
    return anomaly.name == "input_scale" ? Action::stop : Action::proceed;
  };
  const auto raw = points(200);
  const auto result = trainer.fit(train::TensorDataset(raw.inputs() * 1000.0, raw.targets()));
  CHECK(std::ranges::count(names, "input_scale") == 1);
  CHECK(result.reason == train::StopReason::guard);
  CHECK(result.steps == 0);
  CHECK(hash_of(model) == before);
  CHECK_FALSE(result.summary.empty());
}

TEST_CASE("the guards run although every virtual function is overridden") {
  struct Everything : train::Trainer {
    using Trainer::Trainer;
    train::StepOutput training_step(const train::Batch& batch) override {
      const Tensor y = predict_step(batch.inputs);
      return {.loss = cross_entropy(y, batch.targets) * (bad ? static_cast<double>(nan_value) : 1.0), .predictions = y};
    }
    train::StepOutput validation_step(const train::Batch& batch) override {
      const Tensor y = predict_step(batch.inputs);
      return {.loss = cross_entropy(y, batch.targets), .predictions = y};
    }
    Tensor predict_step(const Tensor& inputs) override { return Trainer::predict_step(inputs); }
    std::unique_ptr<optim::Optimizer> configure_optimizer() override {
      return std::make_unique<optim::SGD>(optim::decay_groups(model().parameters(), 0), optim::SGDOptions{});
    }
    optim::Schedule configure_schedule(double lr, std::int64_t) override { return optim::constant(lr); }
    void on_fit_start() override {}
    void on_epoch_start(Index) override {}
    void on_step_start(std::int64_t step) override { bad = step > 20; }
    void on_step_end(const train::StepStats& stats) override {
      if (stats.updated) CHECK(stats.step <= 20);
    }
    void on_log(const train::StepStats&, const train::LayerReport&) override {}
    void on_validation_start() override { bad = false; }
    void on_validation_end(const train::EvaluationStats&) override {}
    void on_epoch_end(const train::EpochStats&) override {}
    void on_checkpoint(const std::filesystem::path&) override {}
    void on_exception(const std::exception_ptr&) override {}
    void on_fit_end(const train::FitResult&) override {}
    Action on_anomaly(const train::Anomaly&) override { return Action::proceed; }
    bool bad = false;
  };
  auto model = small_model();
  Everything trainer(model, cross_entropy, bare({.epochs = 2, .lr = 0.1}));
  const auto result = trainer.fit(points(1000));
  CHECK(result.steps == 20);
  CHECK(result.skipped == 38);
  CHECK(all_finite(model));
  CHECK(result.best.has_value());
}

TEST_CASE("a hook that stops training before the first step leaves the model as it was") {
  auto model = small_model();
  const auto before = hash_of(model);
  Hooked trainer(model, cross_entropy, quiet({.epochs = 5, .lr = 0.01}));
  trainer.fit_start = [&] { trainer.stop(); };
  const auto result = trainer.fit(points(100));
  CHECK(result.reason == train::StopReason::requested);
  CHECK(result.steps == 0);
  CHECK(hash_of(model) == before);
}
