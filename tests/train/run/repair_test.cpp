#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/check_throws.h"
#include "support/hash.h"
#include "support/tasks.h"
#include "support/tensors.h"

using namespace handrail;
using train::off;
using train::TrainerOptions;
namespace fixes = handrail::train::fixes;

namespace {

// A program that trains badly: its inputs are 10,000 times too small for its rate.
train::TensorDataset tiny_points(Index count) {
  const auto data = points(count);
  return {data.inputs() * 1e-4, data.targets()};
}
TrainerOptions options(train::OrOff<Index> repair) {
  TrainerOptions o = quiet({.epochs = 10, .standardize = off});
  o.lr = 2e-3;
  o.repair = repair;
  return o;
}
double accuracy(train::Trainer& trainer, const train::Dataset& data) {
  return *trainer.evaluate(data).measured_accuracy;
}

}  // namespace

TEST_CASE("repair keeps the fix of a finding when it is better beyond noise, and says what it was worth") {
  auto model = small_model();
  const auto memory = std::make_shared<train::MemorySink>();
  TrainerOptions o = options(3);
  o.sinks = {memory};
  train::Trainer trainer(model, cross_entropy, o);
  const auto result = trainer.fit(tiny_points(400));
  REQUIRE_FALSE(result.repairs.empty());
  const train::RepairAttempt& first = result.repairs[0];
  CHECK(first.fix == "standardize inputs");
  CHECK(first.anomaly == "input_scale");
  CHECK(first.kept);
  CHECK(first.after < first.before);
  CHECK(first.difference_low <= first.difference_high);
  CHECK(std::ssize(result.repairs) <= 3);
  CHECK(model.layers()[0]->normalises());
  CHECK(accuracy(trainer, tiny_points(400)) > 0.95);
  CHECK(std::ranges::none_of(result.diagnosis(), [](const auto& a) { return a.name == "input_scale"; }));
  // Each is told before and after its fit.
  REQUIRE(memory->repairs.size() == 2 * result.repairs.size());
  CHECK_FALSE(memory->repairs[0].done);
  CHECK(memory->repairs[1].done);
  CHECK(memory->repairs[1].kept);
  CHECK(memory->starts.size() == 1 + result.repairs.size());
}

TEST_CASE("one validation row cannot tell, and the training rows are evidence for the fix of a finding") {
  auto model = small_model();
  train::Trainer trainer(model, cross_entropy, options(1));
  const auto all = std::make_shared<train::TensorDataset>(tiny_points(400));
  std::vector<Index> rows(399);
  std::iota(rows.begin(), rows.end(), 1);
  const auto result = trainer.fit(train::Subset(all, rows), train::Subset(all, {0}));
  REQUIRE(result.repairs.size() == 1);
  CHECK(result.repairs[0].anomaly == "input_scale");
  CHECK(result.repairs[0].difference_high > 0);
  CHECK(result.repairs[0].kept);
}

TEST_CASE("without repair, and without anomalies, there is one fit") {
  auto model = small_model(), healthy = small_model(), same = small_model();
  train::Trainer without(model, cross_entropy, options(off));
  CHECK(without.fit(tiny_points(400)).repairs.empty());
  CHECK(model.size() == 3);

  TrainerOptions o = options(5);
  o.lr = 2e-2;
  train::Trainer trainer(healthy, cross_entropy, o);
  const auto result = trainer.fit(points(600));
  CHECK(result.fixes().empty());
  CHECK(result.repairs.empty());
  o.repair = off;
  train::Trainer plain(same, cross_entropy, o);
  plain.fit(points(600));
  CHECK(hash_of(healthy) == hash_of(same));
}

TEST_CASE("a fix that is not better leaves weights, options and layers of the best fit") {
  // The targets are random: nothing helps.
  auto model = small_model(), alone = small_model();
  const auto noise = coin_flips(300);
  TrainerOptions o = options(2);
  o.lr = 1e-6;
  o.optimizer = train::with<optim::AdamW>({.eps = 1});
  train::Trainer trainer(model, cross_entropy, o);
  const auto result = trainer.fit(noise);
  o.repair = off;
  train::Trainer plain(alone, cross_entropy, o);
  plain.fit(noise);
  REQUIRE_FALSE(result.repairs.empty());
  for (const auto& attempt : result.repairs) CHECK_FALSE(attempt.kept);
  CHECK(hash_of(model) == hash_of(alone));
  CHECK(*trainer.options().lr == 1e-6);
}

TEST_CASE("an exception from a hook in a further fit leaves the program as it was after the best one") {
  struct Throwing : train::Trainer {
    using Trainer::Trainer;
    int fits = 0;
    void on_train_start() override {
      if (++fits == 2) throw std::runtime_error("mine");
    }
  };
  auto model = small_model(), alone = small_model();
  Throwing trainer(model, cross_entropy, options(3));
  CHECK_THROWS_WITH_AS(trainer.fit(tiny_points(400)), "mine", std::runtime_error);
  train::Trainer plain(alone, cross_entropy, options(off));
  plain.fit(tiny_points(400));
  CHECK(model.size() == 3);
  CHECK(hash_of(model) == hash_of(alone));
}

TEST_CASE("stop() in a further fit ends the repair") {
  struct Stopping : train::Trainer {
    using Trainer::Trainer;
    int fits = 0;
    void on_train_start() override { ++fits; }
    void on_step_end(const train::StepStats&) override {
      if (fits == 2) stop();
    }
  };
  auto model = small_model();
  Stopping trainer(model, cross_entropy, options(3));
  const auto result = trainer.fit(tiny_points(400));
  CHECK(result.reason == train::StopReason::requested);
  CHECK(trainer.fits == 2);
  REQUIRE(result.repairs.size() == 1);
  CHECK_FALSE(result.repairs[0].kept);
  CHECK(model.size() == 3);
}

TEST_CASE("repair compares by validation data, and is refused without them") {
  auto model = small_model();
  TrainerOptions o = options(3);
  o.validation_split = off;
  train::Trainer trainer(model, cross_entropy, o);
  check_throws<OptionError>([&] { trainer.fit(points(100)); }, "fit: repair wants a validation set to compare by");
  check_throws<OptionError>([&] { train::Trainer(model, cross_entropy, options(0)); }, "repair >= 1; got 0");
}

TEST_CASE("try_fix measures fixes of a result side by side, those of the layers too") {
  auto model = small_model();
  train::Trainer trainer(model, cross_entropy, options(off));
  const auto data = tiny_points(400);
  const auto result = trainer.fit(data);
  const auto before = hash_of(model);
  auto tried = trainer.try_fix(data, result.fixes(), {.keep = off});
  CHECK(model.size() == 3);
  CHECK(hash_of(model) == before);
  REQUIRE(tried.arms.size() >= 2);
  CHECK(tried.arms[1].name == "standardize inputs");
  CHECK(tried.arms[1].difference_high < 0);
  CHECK(tried.restarted);

  tried = trainer.try_fix(data, {fixes::remove_dropout(), fixes::standardize_inputs()});
  CHECK_FALSE(tried.arms[1].applies);
  CHECK(contains(tried.text(), "no dropout: has nothing to change in this model"));
  CHECK(tried.kept == "standardize inputs");
  CHECK(model.size() == 4);
  trainer.fit(data);
  CHECK(accuracy(trainer, data) > 0.85);
}

TEST_CASE("without verification try_fix keeps the first fix, also of the layers") {
  auto model = small_model();
  TrainerOptions o = options(off);
  o.verify_fixes = false;
  train::Trainer trainer(model, cross_entropy, o);
  CHECK(trainer.try_fix(points(100), {fixes::remove_dropout()}).kept.empty());
  CHECK(trainer.try_fix(points(100), {fixes::standardize_inputs()}).kept == "standardize inputs");
  CHECK(model.size() == 4);
}
