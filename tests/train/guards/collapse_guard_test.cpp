#include <doctest/doctest.h>

#include <memory>
#include <vector>

#include <handrail/train/guards/collapse_guard.h>

#include "support/guard_runs.h"

using namespace handrail;
using namespace handrail::train;

namespace {

struct Model {
  CollapseGuard::Health health{.dead_units = {0.1, 0.2}, .weight_norm = 10};
  int measured = 0;
  std::unique_ptr<CollapseGuard> guard() {
    return std::make_unique<CollapseGuard>([this](CollapseGuard::Health& now) {
      ++measured;
      now = health;
    });
  }
};

// The first anomaly of steps with that loss.
std::optional<Anomaly> steps(Guard& guard, std::int64_t& step, int count, double loss, Index samples = 32) {
  for (int i = 0; i < count; ++i) {
    StepStats stats = loss_step(++step, loss);
    stats.samples = samples;
    if (auto anomaly = make_step(guard, stats)) return anomaly;
  }
  return std::nullopt;
}

}  // namespace

TEST_CASE("a model that dies at the loss of a guess is divergence, at the second check") {
  for (const bool by_units : {true, false}) {
    CAPTURE(by_units);
    Model model;
    const auto guard = model.guard();
    std::int64_t step = 0;
    CHECK_FALSE(steps(*guard, step, 10, 2.4));
    CHECK_FALSE(steps(*guard, step, 15, 1.9));
    (by_units ? model.health.dead_units[1] : model.health.weight_norm) = by_units ? 0.95 : 45;
    CHECK_FALSE(steps(*guard, step, 49, 2.3));
    CHECK_FALSE(guard->is_good_state());
    const auto anomaly = steps(*guard, step, 1, 2.3);
    REQUIRE(anomaly);
    CHECK(anomaly->name == "divergence");
    CHECK(anomaly->action == Action::rollback);
    CHECK(anomaly->lr_factor == 0.1);
    CHECK(anomaly->evidence == (by_units ? "95 % of a layer's units dead, loss 2.3, at first 2.4"
                                         : "weights grown 4.5 times, loss 2.3, at first 2.4"));
    check_headline(*anomaly);
    CHECK(guard->is_good_state());
  }
}

TEST_CASE("weights that grow while the loss falls, however slowly, are no divergence") {
  Model model;
  const auto guard = model.guard();
  std::int64_t step = 0;
  CHECK_FALSE(steps(*guard, step, 25, 1000));
  model.health.weight_norm = 100;
  for (double loss = 1000; loss > 800; loss -= 0.1) CHECK_FALSE(steps(*guard, step, 1, loss));
}

TEST_CASE("after three rollbacks a model that dies again stops training") {
  Model model;
  const auto guard = model.guard();
  std::int64_t step = 0;
  steps(*guard, step, 1, 2.4);
  model.health.dead_units[0] = 1;
  std::vector<double> factors;
  for (int i = 0; i < 3; ++i) {
    const auto anomaly = steps(*guard, step, 100, 2.3);
    REQUIRE(anomaly);
    CHECK(anomaly->action == Action::rollback);
    factors.push_back(anomaly->lr_factor);
  }
  CHECK(factors == std::vector<double>{0.1, 0.5, 0.5});
  const auto last = steps(*guard, step, 100, 2.3);
  REQUIRE(last);
  CHECK(last->action == Action::stop);
  CHECK(last->lr_factor == 0.5);  // of a rollback that on_anomaly makes of it
}

TEST_CASE("dead units are no divergence where the model learns, began so, or has few samples in a step") {
  Model learns, began, few, negative;
  began.health.dead_units[0] = 1;
  std::int64_t step = 0;
  const auto first = learns.guard();
  CHECK_FALSE(steps(*first, step, 10, 2.4));
  learns.health.dead_units[0] = 1;
  CHECK_FALSE(steps(*first, step, 1000, 1.0));
  CHECK(first->is_good_state());
  CHECK(learns.measured <= 3);  // only while the loss is high

  step = 0;
  CHECK_FALSE(steps(*began.guard(), step, 1000, 2.4));
  step = 0;
  const auto small = few.guard();
  CHECK_FALSE(steps(*small, step, 10, 2.4, 4));
  few.health.dead_units[0] = 1;
  CHECK_FALSE(steps(*small, step, 1000, 2.4, 4));
  step = 0;
  const auto below = negative.guard();
  CHECK_FALSE(steps(*below, step, 10, -2.4));
  negative.health.dead_units[0] = 1;
  CHECK_FALSE(steps(*below, step, 1000, -2.4));
}

TEST_CASE("the collapse guard continues from its state as if it had never stopped") {
  std::vector<StepStats> all;
  for (std::int64_t step = 1; step <= 400; ++step)
    all.push_back(loss_step(step, step < 26 ? 2.4 - 0.03 * static_cast<double>(step) : 2.3));
  Model model;
  model.health.weight_norm = 1;
  int made = 0;
  const auto make = [&] {
    return std::make_unique<CollapseGuard>([&made, first = true](CollapseGuard::Health& now) mutable {
      now = {.dead_units = {0.1, 0.2}, .weight_norm = first ? 1.0 : 5.0};
      first = false;
      ++made;
    });
  };
  CHECK(check_resume(make, all, {0, 1, 24, 25, 30, 49, 50, 77, 200, 399}).size() >= 4);
}
