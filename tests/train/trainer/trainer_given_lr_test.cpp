#include <doctest/doctest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bench/rates/nine_tasks.h"
#include "support/guard_runs.h"
#include "support/hash.h"
#include "support/tasks.h"

using namespace handrail;
using train::off;
using train::TrainerOptions;

namespace {

// A Trainer with a schedule whose rate is 0 after a share of the planned steps.
struct Frozen : train::Trainer {
  using Trainer::Trainer;
  double share = 0.1;
  optim::Schedule configure_schedule(double lr, std::int64_t planned_steps) override {
    const auto schedule = Trainer::configure_schedule(lr, planned_steps);
    const auto last = static_cast<std::int64_t>(share * static_cast<double>(planned_steps));
    return [=](std::int64_t step) { return step > last ? 0.0 : schedule(step); };
  }
};

// Planned for so many steps that the sweep is made in full on any machine, and stopped after the first.
TrainerOptions planned(const bench::VariedTask& task) {
  const Index steps = task.data->size() * 9 / 10 / 32 + 1;
  return quiet({.epochs = 4000 / steps + 1, .lr_scaling = train::LrScaling::none});
}

std::string lr_anomaly(const train::FitResult& result) {
  for (const auto& anomaly : result.anomalies)
    if (anomaly.name.starts_with("lr_too_")) {
      CHECK(anomaly.step == 0);
      CHECK(anomaly.action == train::Action::proceed);
      CHECK((anomaly.rank == train::Rank::setup || anomaly.rank == train::Rank::pace));
      check_headline(anomaly);
      return anomaly.name;
    }
  return {};
}

std::string first_step(const bench::VariedTask& task, TrainerOptions options) {
  auto model = task.model(1);
  Hooked trainer(model, task.loss, std::move(options));
  trainer.step_start = [&](std::int64_t) { trainer.stop(); };
  const auto result = trainer.fit(*task.data);
  CHECK(result.steps == 1);
  return lr_anomaly(result);
}

}  // namespace

TEST_CASE("a given rate that is 30 or 100 times too high, or 100 times too low, is named before the first step") {
  int wrong = 0, named = 0;
  for (const bool sgd : {false, true})
    for (const bench::VariedTask& task : bench::nine_tasks()) {
      TrainerOptions options = planned(task);
      if (sgd) options.optimizer = train::with<optim::SGD>({.momentum = 0.9});
      auto model = task.model(1);
      const auto found = train::Trainer(model, task.loss, options).find_lr(*task.data);
      for (const double factor : {30.0, 100.0, 0.01}) {
        options.lr = found.suggestion.value_or(0.01) * factor;
        ++wrong;
        named += first_step(task, options) == (factor > 1 ? "lr_too_high" : "lr_too_low");
      }
    }
  CAPTURE(named);
  CHECK(named >= 0.9 * wrong);
}

TEST_CASE("the customary rates of AdamW and SGD are named only where they cost much") {
  std::vector<std::string> named;
  for (const bench::VariedTask& task : bench::nine_tasks()) {
    CAPTURE(task.name);
    TrainerOptions options = planned(task);
    options.lr = 1e-3;
    if (!first_step(task, options).empty()) named.push_back(task.name);
    options.optimizer = train::with<optim::SGD>({.momentum = 0.9});
    options.lr = 1e-2;
    CHECK(first_step(task, options).empty());
  }
  // With it, a fifth of the points of the spirals are on the wrong side after 30 epochs, none with the rate found.
  named.erase(std::remove(named.begin(), named.end(), "spirals"), named.end());
  CHECK(named.empty());
}

TEST_CASE("a rate that is named is one line, and checks.lr = off makes no sweep") {
  auto model = small_model();
  Hooked trainer(model, cross_entropy, quiet({.epochs = 1000, .lr = 1e-6}));
  trainer.step_start = [&](std::int64_t) { trainer.stop(); };
  const auto result = trainer.fit(points(400));
  const auto* anomaly = find_anomaly(result, "lr_too_low");
  REQUIRE(anomaly);
  CHECK(contains(anomaly->evidence, "times below the rate of "));
  CHECK(contains(anomaly->remedy, "set lr = "));
  CHECK(result.lr == 1e-6);

  TrainerOptions unchecked = quiet({.epochs = 1000, .lr = 1e-6});
  unchecked.checks.lr = off;
  Hooked second(model, cross_entropy, unchecked);
  second.step_start = [&](std::int64_t) { second.stop(); };
  CHECK_FALSE(find_anomaly(second.fit(points(400)), "lr_too_low"));
}

TEST_CASE("a network that a rate of 1 has killed is rolled back, and learns with a lower rate") {
  for (const char* name : {"digits", "blobs", "smooth regression"})
    for (const bench::VariedTask& task : bench::nine_tasks()) {
      if (task.name != name) continue;
      CAPTURE(task.name);
      const auto fit = [&](OrAuto<double> lr) {
        auto model = task.model(1);
        return train::Trainer(model, task.loss,
                              quiet({.epochs = task.epochs, .lr = lr, .lr_scaling = train::LrScaling::none, .seed = 1}))
            .fit(*task.data);
      };
      const auto killed = fit(1.0), found = fit(automatic);
      const auto rollback = std::ranges::find(killed.anomalies, train::Action::rollback, &train::Anomaly::action);
      REQUIRE(rollback != killed.anomalies.end());
      CHECK((rollback->name == "divergence" || rollback->name == "dead_units"));
      CHECK(rollback->lr_factor == 0.1);
      CHECK(killed.rollbacks >= 1);
      CHECK(found.rollbacks == 0);
      if (found.best->evaluation.measured_accuracy)
        CHECK(*killed.best->evaluation.measured_accuracy > *found.best->evaluation.measured_accuracy - 0.05);
      else
        CHECK(killed.best->value < 1.5 * found.best->value);
    }
}

TEST_CASE("a plateau under the noise of real batches is named, and none in a healthy run") {
  int frozen = 0;
  for (const bench::VariedTask& task : bench::nine_tasks()) {
    auto model = task.model(1), healthy = task.model(1);
    const TrainerOptions options = quiet({.epochs = task.epochs, .seed = 1});
    const auto result = Frozen(model, task.loss, options).fit(*task.data);
    if (const auto* anomaly = find_anomaly(result, "plateau")) {
      ++frozen;
      check_headline(*anomaly);
    }
    CHECK_FALSE(find_anomaly(train::Trainer(healthy, task.loss, options).fit(*task.data), "plateau"));
  }
  CHECK(frozen >= 8);
}

TEST_CASE("a run at a low rate is told at its end that a higher one learns more, and keeps its weights") {
  const auto data = points(400), validation = points(200, 2);
  const auto fit = [&](double lr, bool duration) {
    auto model = small_model();
    TrainerOptions options = quiet({.epochs = 60, .lr = lr, .lr_scaling = train::LrScaling::none});
    options.guards.duration = duration;
    train::Trainer trainer(model, cross_entropy, options);
    const auto result = trainer.fit(data, validation);
    const auto found = std::ranges::find_if(result.anomalies, [](const train::Anomaly& anomaly) {
      return anomaly.name == "lr_too_low" && contains(anomaly.evidence, "more steps at a rate of");
    });
    return std::pair(found != result.anomalies.end(), hash_of(model));
  };
  const auto [told, weights] = fit(2e-4, true);
  CHECK(told);
  CHECK(fit(2e-4, false) == std::pair(false, weights));
  CHECK_FALSE(fit(1e-2, true).first);
}
