#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "support/hash.h"
#include "support/tasks.h"
#include "support/tensors.h"

using namespace handrail;
using train::Action;
using train::off;
using train::StopReason;
using train::TrainerOptions;

namespace {

// Lets a test look at the optimizer of the run.
struct Watched : Poisoned {
  using Poisoned::Poisoned;
  optim::Optimizer* optimizer = nullptr;
  double scale = 1;  // of the loss in training
  train::StepOutput training_step(const train::Batch& batch) override {
    train::StepOutput out = Poisoned::training_step(batch);
    out.loss = out.loss * scale;
    return out;
  }
  std::unique_ptr<optim::Optimizer> configure_optimizer() override {
    auto made = Trainer::configure_optimizer();
    optimizer = made.get();
    return made;
  }
};

bool same(const optim::OptimizerState& a, const optim::OptimizerState& b) {
  for (const auto& [name, kept] : a) {
    if (kept.t != b.at(name).t) return false;
    for (std::size_t s = 0; s < kept.slots.size(); ++s)
      if (!same_bits(kept.slots[s], b.at(name).slots[s])) return false;
  }
  return a.size() == b.size();
}

}  // namespace

TEST_CASE("a rollback restores a network whose units died because of the rate") {
  // One step kills all units for good: the loss of a constant answer is below any bound of divergence.
  auto model = small_model();
  Hooked trainer(model, cross_entropy, quiet({.epochs = 10, .lr = 0.02, .guards = {.spike = off}}));
  trainer.step_end = [&](const train::StepStats& stats) {
    if (stats.step != 60 || trainer.attempt > 60) return;
    for (Scalar& b : model.parameters()[1].tensor.mutable_span()) b = -1000;
  };
  const auto data = points(600);
  const auto result = trainer.fit(data);
  const auto* anomaly = find_anomaly(result, "dead_units");
  REQUIRE(anomaly);
  CHECK(anomaly->action == train::Action::rollback);
  CHECK(result.rollbacks == 1);
  CHECK(result.best->evaluation.loss < 0.3);
}

TEST_CASE("a step that is rejected leaves parameters, buffers, moments and counts as they were before it") {
  for (const bool in_gradient : {false, true}) {
    NormModel model;
    Watched trainer(model, cross_entropy, bare({.epochs = 5, .lr = 0.01}));
    trainer.in_gradient = in_gradient;
    trainer.bad = [](std::int64_t attempt) { return attempt % 10 == 0; };
    std::uint64_t before = 0;
    optim::OptimizerState moments;
    trainer.step_start = [&](std::int64_t) {
      before = hash_of(model);
      moments = trainer.optimizer->state();
    };
    trainer.step_end = [&](const train::StepStats& stats) {
      CHECK(stats.updated == (trainer.attempt % 10 != 0));
      CHECK((hash_of(model) == before) == !stats.updated);
      CHECK(same(trainer.optimizer->state(), moments) == !stats.updated);
    };
    const auto result = trainer.fit(points(1000));
    CHECK(result.reason == StopReason::finished);
    CHECK(result.skipped == 14);  // of 145
    CHECK(result.steps == 131);
    CHECK(result.anomaly_counts.at("non_finite") == 14);
    CHECK(all_finite(model));
    CHECK(std::isfinite(result.train_loss));
    CHECK(result.validation->accuracy() > 0.9);
  }
}

TEST_CASE("an update that would not be finite is refused by the name of its parameter") {
  NormModel model;
  Watched trainer(model, cross_entropy, bare({.epochs = 1, .lr = 0.01, .clip_norm = off, .guards = {.spike = off}}));
  std::uint64_t before = 0;
  optim::OptimizerState moments;
  trainer.step_start = [&](std::int64_t) {
    // The gradient is finite; its square, which AdamW averages, is not.
    trainer.scale = trainer.attempt == 10 ? 1e25 : 1;
    before = hash_of(model);
    moments = trainer.optimizer->state();
  };
  trainer.step_end = [&](const train::StepStats& stats) {
    CHECK(stats.updated == (trainer.attempt != 10));
    if (stats.updated) return;
    CHECK(std::isfinite(stats.grad_norm));
    CHECK(hash_of(model) == before);
    CHECK(same(trainer.optimizer->state(), moments));
  };
  const auto result = trainer.fit(points(1000));
  CHECK(result.skipped == 1);
  const auto* anomaly = find_anomaly(result, "non_finite");
  REQUIRE(anomaly);
  CHECK(anomaly->where == "in.weight");
  CHECK(contains(anomaly->details, "in a moment"));
  CHECK(all_finite(model));
}

TEST_CASE(
    "bad steps in a row: skip, skip, half the rate, then the same again with a rollback, three times, then stop") {
  auto model = small_model();
  const auto log = std::make_shared<train::MemorySink>();
  TrainerOptions options = bare({.epochs = 5, .lr = 0.01, .decay = train::Decay::constant, .warmup = off});
  options.sinks = {log};
  Watched trainer(model, cross_entropy, options);
  trainer.bad = [](std::int64_t attempt) { return attempt > 40; };
  const auto result = trainer.fit(points(1000));

  std::vector<Action> actions;
  for (const auto& anomaly : log->anomalies) actions.push_back(anomaly.action);
  std::vector<Action> want;
  for (int i = 0; i < 4; ++i)
    for (const Action action : {Action::skip, Action::skip, Action::reduce_lr, Action::skip, Action::skip})
      want.push_back(action), i == 3 || want.size() % 6 != 5 ? void() : want.push_back(Action::rollback);
  want.push_back(Action::stop);
  CHECK(actions == want);
  REQUIRE(log->steps.size() == 64);
  for (std::size_t i = 40; i < 64; ++i) {
    CHECK(log->steps[i].lr == doctest::Approx(0.01 * std::pow(0.5, static_cast<double>((i - 40) / 3))));
    CHECK(log->steps[i].step == 41);
  }
  // Attempts survive the returns, and the batches that were bad are not tried again.
  for (std::size_t i = 1; i < 64; ++i) CHECK(log->steps[i].micro_step == log->steps[i - 1].micro_step + 1);

  CHECK(result.reason == StopReason::guard);
  CHECK(result.rollbacks == 3);
  CHECK(result.skipped == 24);
  const auto& last = result.anomalies.back();
  CHECK(last.action == Action::stop);
  CHECK(contains(last.text(), "after 3 rollbacks"));
  CHECK(contains(last.text(), "first seen in the forward of op 'affine' in the loss"));
  CHECK(contains(last.text(), "inputs: min"));
}

TEST_CASE("a rollback restores the last good state, and a reduced rate stays reduced") {
  NormModel model;
  Watched trainer(model, cross_entropy,
                  bare({.epochs = 6, .lr = 0.01, .decay = train::Decay::constant, .warmup = off, .restore_best = off}));
  // An epoch has 29 batches; from the 40th on six are bad.
  trainer.bad = [](std::int64_t attempt) { return attempt >= 40 && attempt < 46; };
  std::uint64_t good = 0, wrong = 0;
  optim::OptimizerState moments;
  trainer.epoch_end = [&](const train::EpochStats& stats) {
    if (stats.epoch > 1) return;
    good = hash_of(model);
    moments = trainer.optimizer->state();
  };
  std::vector<double> rates;
  trainer.step_end = [&](const train::StepStats& stats) {
    rates.push_back(stats.lr);
    if (trainer.attempt == 39) wrong = hash_of(model);
    if (trainer.attempt != 45) return;
    CHECK(hash_of(model) == good);
    CHECK(hash_of(model) != wrong);
    CHECK(same(trainer.optimizer->state(), moments));
  };
  const auto result = trainer.fit(points(1000));
  CHECK(result.rollbacks == 1);
  CHECK(result.reason == StopReason::finished);
  CHECK(result.steps == 6 * 29 - 6);
  REQUIRE(rates.size() == 6 * 29);
  CHECK(rates[38] == doctest::Approx(0.01));
  CHECK(rates[45] == doctest::Approx(0.0025));
  CHECK(rates.back() == doctest::Approx(0.0025));
}

TEST_CASE("training that never has a finite loss stops and has changed nothing") {
  NormModel model;
  const auto before = hash_of(model);
  train::Trainer trainer(
      model, [](const Tensor& y, const Tensor&) { return mean(y) * static_cast<double>(nan_value); },
      quiet({.epochs = 5, .lr = 0.01}));
  const auto result = trainer.fit(points(1000));
  CHECK(result.reason == StopReason::guard);
  CHECK(result.skipped == 24);
  CHECK(result.steps == 0);
  CHECK(hash_of(model) == before);
}

TEST_CASE("with the guard opted out a NaN reaches the parameters") {
  auto model = small_model();
  train::Trainer trainer(
      model, [](const Tensor& y, const Tensor&) { return mean(y) * static_cast<double>(nan_value); },
      bare({.epochs = 1, .lr = 0.01, .guards = {.non_finite = off}}));
  trainer.fit(points(100));
  CHECK(std::isnan(model.parameters()[0].tensor.data()[0]));
}

TEST_CASE("a rate far too high ends with finite weights that are no worse than those it began with") {
  const auto test = points(500, 2);
  for (const double lr : {1e3, 1e6})
    for (const Index rows : {100, 1000})  // epochs of three steps, and of 29
      for (const bool adam : {false, true}) {
        CAPTURE(lr);
        CAPTURE(rows);
        CAPTURE(adam);
        auto model = small_model(3);
        TrainerOptions options = quiet({.epochs = 8, .lr = lr});
        if (!adam) options.optimizer = train::with<optim::SGD>({.momentum = 0.9});
        train::Trainer trainer(model, cross_entropy, options);
        const double before = trainer.evaluate(test).loss;
        const auto result = trainer.fit(points(rows), points(300, 4));
        CHECK(result.rollbacks >= 1);
        CHECK((find_anomaly(result, "divergence") || find_anomaly(result, "non_finite")));
        CHECK(all_finite(model));
        CHECK(trainer.evaluate(test).loss < 2 * before);
        if (result.reason == StopReason::guard) CHECK(result.anomalies.back().action == Action::stop);
      }
}

TEST_CASE("guards and diagnoses change nothing: a run without anomalies has the same bits without them") {
  const auto hash = [](train::GuardOptions guards) {
    NormModel model;
    const auto result =
        train::Trainer(model, cross_entropy, bare({.epochs = 3, .lr = 0.01, .val_check_interval = 7, .guards = guards}))
            .fit(points(400));
    CHECK(result.anomalies.empty());
    CHECK(result.best->epoch == 3);
    return hash_of(model);
  };
  const auto watched = hash({});
  CHECK(hash({.divergence = off}) == watched);
  CHECK(hash({.non_finite = off,
              .spike = off,
              .divergence = off,
              .plateau = off,
              .slow_progress = off,
              .overfitting = off,
              .clip_pressure = off,
              .layers = off,
              .monitor = off,
              .oscillation = off,
              .overwrites = off,
              .labels = off}) == watched);
}

TEST_CASE("strong clipping is reported for SGD, whose path it changes, and for AdamW by the documented rule only") {
  const auto clipped = [](train::OptimizerFactory optimizer, train::ClipRule rule) {
    auto model = small_model();
    TrainerOptions options = bare({.epochs = 20,
                                   .optimizer = std::move(optimizer),
                                   .lr = 0.01,
                                   .clip_norm = 0.001,
                                   .guards = {.clip_rule = rule}});
    const auto result = train::Trainer(model, cross_entropy, options).fit(points(600));
    const auto* anomaly = find_anomaly(result, "clip_pressure");
    if (anomaly) CHECK(anomaly->severity == train::Severity::warning);
    return anomaly != nullptr;
  };
  CHECK(clipped(train::with<optim::SGD>(), train::ClipRule::path));
  CHECK(clipped(train::with<optim::SGD>(), train::ClipRule::documented));
  CHECK_FALSE(clipped({}, train::ClipRule::path));
  CHECK(clipped({}, train::ClipRule::documented));
}

TEST_CASE("a loss with the wrong sign is named, in training alone and in training and validation") {
  struct Negative : train::Trainer {
    using Trainer::Trainer;
    train::StepOutput training_step(const train::Batch& batch) override {
      train::StepOutput out = Trainer::training_step(batch);
      out.loss = -out.loss;
      return out;
    }
    train::StepOutput validation_step(const train::Batch& batch) override { return Trainer::training_step(batch); }
  };
  auto model = small_model();
  const TrainerOptions unchecked = quiet({.epochs = 10, .lr = 0.01, .checks = {.structure = off}});
  const auto result = Negative(model, cross_entropy, unchecked).fit(points(600));
  CHECK(find_anomaly(result, "loss_sign"));
  CHECK_FALSE(find_anomaly(result, "overfitting"));
  CHECK(result.diagnosis().at(0).name == "loss_sign");

  auto other = small_model();
  const auto negative = [](const Tensor& y, const Tensor& t) { return -cross_entropy(y, t); };
  const auto both = train::Trainer(other, train::Loss(negative, train::Task::multiclass), unchecked).fit(points(600));
  CHECK(find_anomaly(both, "below_chance"));
  CHECK(both.diagnosis().at(0).name == "loss_sign");
}

TEST_CASE("a diagnosis of the finished model comes too late to do anything about") {
  auto model = small_model();
  std::uint64_t best = 0;
  bool told = false;
  Hooked trainer(model, cross_entropy, bare({.epochs = 4, .lr = 0.05}));
  trainer.validation_end = [&](const train::EvaluationStats& stats) {
    if (stats.best) best = hash_of(model);
  };
  trainer.anomaly = [&](const train::Anomaly& anomaly) {
    told = told || anomaly.name == "no_better_than_baseline";
    return anomaly.name == "no_better_than_baseline" ? Action::rollback : Action::proceed;
  };
  const auto result = trainer.fit(coin_flips(300), coin_flips(300, 2));
  CHECK(told);
  CHECK(result.reason == StopReason::finished);
  CHECK(result.rollbacks == 0);
  CHECK(hash_of(model) == best);
  trainer.anomaly = [&](const train::Anomaly&) { return Action::stop; };
  CHECK(trainer.fit(coin_flips(300), coin_flips(300, 2)).reason == StopReason::finished);
}

TEST_CASE("without the divergence guard a rate far too high ruins the weights") {
  auto model = small_model(3);
  train::Trainer trainer(model, cross_entropy,
                         quiet({.epochs = 3, .lr = 1e6, .restore_best = off, .guards = {.divergence = off}}));
  const auto result = trainer.fit(points(100));
  CHECK_FALSE(trainer.evaluate(points(500, 2)).loss < 1e6);
  CHECK(all_finite(model));  // that is another guard's
}
