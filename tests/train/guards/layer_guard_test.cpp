#include <doctest/doctest.h>

#include <limits>
#include <memory>
#include <string>
#include <vector>

#include <handrail/core/random.h>
#include <handrail/train/guards/layer_guard.h>

#include "support/guard_runs.h"

using namespace handrail;
using namespace handrail::train;

namespace {

const std::vector<std::string> names{"first", "second", "out"};

// A step with these norms at that loss.
std::optional<Anomaly> norm_step(Guard& guard, std::int64_t step, const std::vector<double>& norms, double loss = 2.3) {
  StepStats stats = loss_step(step, loss);
  stats.layer_norms = norms;
  return make_step(guard, stats);
}

LayerReport report(const std::vector<double>& dead, std::int64_t step = 100) {
  LayerReport report{.step = step, .layers = {}};
  for (std::size_t l = 0; l < dead.size(); ++l)
    report.layers.push_back(
        {.name = names[l], .grad_norm = 1, .grad_mean = 0, .grad_max = 1, .update_ratio = 1e-3, .dead_units = dead[l]});
  return report;
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("a gradient that vanishes for twenty steps is reported with its layer, once") {
  LayerGuard guard(names);
  for (std::int64_t step = 1; step < 20; ++step) CHECK_FALSE(norm_step(guard, step, {1e-9, 1, 1}));
  const auto anomaly = norm_step(guard, 20, {1e-9, 1, 1});
  REQUIRE(anomaly);
  CHECK(anomaly->name == "vanishing_gradient");
  CHECK(anomaly->where == "first");
  CHECK(anomaly->step == 20);
  CHECK(anomaly->action == Action::proceed);
  CHECK(contains(anomaly->evidence, "gradient norm 1e-09, below 1e-7 for 20 steps"));
  for (std::int64_t step = 21; step < 200; ++step) CHECK_FALSE(norm_step(guard, step, {1e-9, 1, 1}));
}

TEST_CASE("a gradient that explodes for twenty steps is reported with its layer") {
  LayerGuard guard(names);
  for (std::int64_t step = 1; step < 20; ++step) CHECK_FALSE(norm_step(guard, step, {1, 1, 250}));
  const auto anomaly = norm_step(guard, 20, {1, 1, 250});
  REQUIRE(anomaly);
  CHECK(anomaly->name == "exploding_gradient");
  CHECK(anomaly->where == "out");
  CHECK(contains(anomaly->evidence, "gradient norm 250, above 100"));
}

TEST_CASE("a gradient explodes by what is usual for the losses of the task") {
  const auto found = [](double norm, double loss) {
    LayerGuard guard(names);
    std::optional<Anomaly> anomaly;
    for (std::int64_t step = 1; step <= 40 && !anomaly; ++step)
      anomaly = norm_step(guard, step, {1, 1, norm}, step <= 10 ? loss : loss / 3);
    return anomaly;
  };
  CHECK_FALSE(found(750, 5800));  // squared errors of targets of about 80
  REQUIRE(found(2500, 5800));
  CHECK(contains(found(2500, 5800)->evidence, "gradient norm 2500, above 2408 for 20 steps"));
  CHECK(found(150, 9));
}

TEST_CASE("a stretch that is interrupted starts again, and a second one is reported again") {
  LayerGuard guard(names);
  std::int64_t step = 0;
  const auto run = [&](int count, double norm) {
    int findings = 0;
    for (int i = 0; i < count; ++i) findings += norm_step(guard, ++step, {1, norm, 1}).has_value();
    return findings;
  };
  CHECK(run(19, 1e-8) == 0);
  CHECK(run(1, 1e-3) == 0);
  CHECK(run(19, 1e-8) == 0);
  CHECK(run(10, 1e-8) == 1);
  CHECK(run(1, 1) == 0);
  CHECK(run(40, 1e-8) == 1);
  CHECK(run(19, 500) == 0);
  CHECK(run(1, std::numeric_limits<double>::quiet_NaN()) == 0);
  CHECK(run(19, 500) == 0);
}

TEST_CASE("several layers at once are reported one after the other") {
  LayerGuard guard(names);
  Said said;
  for (std::int64_t step = 1; step <= 40; ++step) note(said, norm_step(guard, step, {1e-9, 1e-8, 1000}));
  REQUIRE(said.size() == 3);
  CHECK(contains(said[0], "20 vanishing_gradient first"));
  CHECK(contains(said[1], "21 vanishing_gradient second"));
  CHECK(contains(said[2], "22 exploding_gradient out"));
}

TEST_CASE("a gradient of exactly 0 is reported as dead units") {
  LayerGuard guard(names);
  norm_step(guard, 1, {1, 1, 1});
  for (std::int64_t step = 2; step < 21; ++step) CHECK_FALSE(norm_step(guard, step, {1, 0, 1}));
  const auto anomaly = norm_step(guard, 21, {1, 0, 1});
  REQUIRE(anomaly);
  CHECK(anomaly->name == "dead_units");
  CHECK(contains(anomaly->evidence, "exactly 0 for 20 steps"));
  CHECK(contains(anomaly->cause, "a learning rate that was too high"));
  CHECK(anomaly->rank == Rank::blow_up);
}

TEST_CASE("units that were dead before the first step are not blamed on the learning rate") {
  LayerGuard guard(names);
  for (std::int64_t step = 1; step < 20; ++step) CHECK_FALSE(norm_step(guard, step, {0, 1, 1}));
  const auto anomaly = norm_step(guard, 20, {0, 1, 1});
  REQUIRE(anomaly);
  check_headline(*anomaly);
  CHECK(anomaly->name == "dead_units");
  CHECK(anomaly->where == "first");
  CHECK(anomaly->action == Action::proceed);
  CHECK(contains(anomaly->evidence, "exactly 0 since step 1"));
  CHECK(contains(anomaly->cause, "initial weights"));
  CHECK(contains(anomaly->cause, "the learning rate has no part in it"));
  CHECK_FALSE(contains(anomaly->remedy, "lr"));
  CHECK(anomaly->rank == Rank::setup);
}

TEST_CASE(
    "a layer that has lost its gradient asks for a rollback, at most three times; one that never had any does not") {
  LayerGuard guard(names);
  std::vector<double> factors;
  std::int64_t step = 0;
  const auto lose = [&] {
    norm_step(guard, ++step, {1, 1, 1});
    for (int i = 0; i < 19; ++i) CHECK_FALSE(norm_step(guard, ++step, {1, 0, 1}));
    CHECK(guard.lost() == std::vector<std::string>{"second"});
    return norm_step(guard, ++step, {1, 0, 1});
  };
  for (int i = 0; i < 3; ++i) {
    const auto anomaly = lose();
    REQUIRE(anomaly);
    CHECK(anomaly->name == "dead_units");
    CHECK(anomaly->action == Action::rollback);
    factors.push_back(anomaly->lr_factor);
    guard.rolled_back();
    CHECK(guard.lost().empty());
    LayerGuard resumed(names);
    CHECK(train::load_state(resumed, train::save_state(guard)));
    CHECK(train::save_state(resumed) == train::save_state(guard));
  }
  CHECK(factors == std::vector<double>{0.1, 0.5, 0.5});
  CHECK(lose()->action == Action::proceed);

  LayerGuard never(names);
  for (std::int64_t s = 1; s < 20; ++s) CHECK_FALSE(norm_step(never, s, {1, 0, 1}));
  CHECK(never.lost().empty());
  CHECK(norm_step(never, 20, {1, 0, 1})->action == Action::proceed);
}

TEST_CASE("a rollback that another guard asks for does not count as one of this guard, also after one was refused it") {
  for (const bool at_epoch_end : {false, true}) {
    LayerGuard guard(names);
    norm_step(guard, 1, {1, 1, 1});
    for (std::int64_t step = 2; step <= 20; ++step) norm_step(guard, step, {1, 0, 1});
    const std::vector<double> norms{1, 0, 1};
    StepStats stats = loss_step(21, 2.3);
    stats.layer_norms = norms;
    guard.check_loss(stats);
    CHECK(guard.check_gradients(stats)->action == Action::rollback);  // which is not made
    if (at_epoch_end)
      guard.epoch_end({.epoch = 1, .step = 21, .lr = 1, .train_loss = 1, .validation = {}, .seconds = 0});
    else
      guard.check_loss(loss_step(22, 2.3));
    guard.rolled_back();
    norm_step(guard, 22, {1, 1, 1});
    for (std::int64_t step = 23; step <= 41; ++step) norm_step(guard, step, {1, 0, 1});
    const auto first = norm_step(guard, 42, {1, 0, 1});
    REQUIRE(first);
    CHECK(first->lr_factor == 0.1);
  }
}

TEST_CASE("small gradients of a task that is learnt do not count as vanishing") {
  LayerGuard guard(names);
  for (std::int64_t step = 1; step <= 20; ++step) norm_step(guard, step, {1, 1, 1}, 2.3);
  for (std::int64_t step = 21; step <= 200; ++step) CHECK_FALSE(norm_step(guard, step, {1e-8, 1e-8, 1e-8}, 0.01));
  CHECK(norm_step(guard, 201, {1e-8, 1e-8, 1e-8}, 1.0));
}

TEST_CASE("steps without norms, or with fewer than layers, are fine") {
  LayerGuard guard(names);
  for (std::int64_t step = 1; step <= 50; ++step) CHECK_FALSE(norm_step(guard, step, {}));
  int findings = 0;
  for (std::int64_t step = 51; step <= 90; ++step) findings += norm_step(guard, step, {1, 1e-9}).has_value();
  CHECK(findings == 1);
  LayerGuard none({});
  CHECK_FALSE(norm_step(none, 1, {1, 2}));
  CHECK_FALSE(none.layers_measured(report({1, 1, 1})));
}

TEST_CASE("dead units are reported after three measurements in a row, but not of the output layer") {
  LayerGuard guard(names);
  CHECK_FALSE(guard.layers_measured(report({0.1, 0.8, 1})));
  CHECK_FALSE(guard.layers_measured(report({0.1, 0.8, 1})));
  const auto anomaly = guard.layers_measured(report({0.1, 0.75, 1}, 300));
  REQUIRE(anomaly);
  CHECK(anomaly->name == "dead_units");
  CHECK(anomaly->where == "second");
  CHECK(anomaly->step == 300);
  CHECK(contains(anomaly->evidence, "75 % of its units"));
  for (int i = 0; i < 10; ++i) CHECK_FALSE(guard.layers_measured(report({0.1, 0.9, 1})));
  CHECK_FALSE(guard.layers_measured(report({0.1, 0.5, 1})));
  CHECK_FALSE(guard.layers_measured(report({0.1, 0.9, 1})));
  CHECK_FALSE(guard.layers_measured(report({0.1, 0.9, 1})));
  CHECK(guard.layers_measured(report({0.1, 0.9, 1})));
}

TEST_CASE("units without a gradient from fewer than 16 samples are not called dead") {
  for (const Index samples : {8, 15, 16}) {
    LayerGuard guard(names);
    std::optional<Anomaly> anomaly;
    for (std::int64_t step = 1; step <= 3; ++step) {
      StepStats stats = loss_step(step, 2.3);
      stats.samples = samples;
      make_step(guard, stats);
      anomaly = guard.layers_measured(report({0.1, 0.8, 0}, step));
    }
    CHECK(anomaly.has_value() == (samples >= 16));
  }
}

TEST_CASE("dead units are a warning when the loss has not halved, a note when it has, and nothing when it is learnt") {
  const auto found = [](double loss) {
    LayerGuard guard(names);
    for (std::int64_t step = 1; step <= 10; ++step) norm_step(guard, step, {1, 1, 1}, 2.0);
    for (std::int64_t step = 11; step <= 200; ++step) norm_step(guard, step, {1, 1, 1}, loss);
    std::optional<Anomaly> anomaly;
    for (int i = 0; i < 3; ++i) anomaly = guard.layers_measured(report({0.8, 0, 0}));
    return anomaly;
  };
  REQUIRE(found(1.5));
  CHECK(found(1.5)->severity == Severity::warning);
  CHECK(found(1.5)->details == "loss 2 at first, 1.5 now");
  REQUIRE(found(0.5));
  CHECK(found(0.5)->severity == Severity::note);
  CHECK_FALSE(found(0.01));
}

TEST_CASE("after a rollback all stretches start again") {
  LayerGuard guard(names);
  for (std::int64_t step = 1; step <= 15; ++step) norm_step(guard, step, {1e-9, 1, 1});
  guard.rolled_back();
  for (std::int64_t step = 16; step < 35; ++step) CHECK_FALSE(norm_step(guard, step, {1e-9, 1, 1}));
  CHECK(norm_step(guard, 35, {1e-9, 1, 1}));
}

TEST_CASE("a layer guard continues from its state as if it had never stopped") {
  Rng rng(1);
  std::vector<std::vector<double>> norms;
  std::vector<StepStats> steps;
  for (std::int64_t step = 1; step <= 300; ++step) {
    norms.push_back({step % 70 < 40 ? 1e-9 : 1.0, rng.uniform(), step % 90 < 35 ? 1e3 : 1.0});
    steps.push_back(loss_step(step, 2.3));
  }
  for (std::size_t i = 0; i < steps.size(); ++i) steps[i].layer_norms = norms[i];
  const auto make = [] { return std::make_unique<LayerGuard>(names); };
  CHECK(check_resume(make, steps, {0, 5, 19, 20, 21, 39, 100, 222}).size() > 5);

  LayerGuard first(names), second(names), other({"one", "two"});
  first.layers_measured(report({0.9, 0, 0}));
  first.layers_measured(report({0.9, 0, 0}));
  REQUIRE(train::load_state(second, train::save_state(first)));
  CHECK(second.layers_measured(report({0.9, 0, 0})));
  CHECK_FALSE(train::load_state(other, train::save_state(first)));
}
