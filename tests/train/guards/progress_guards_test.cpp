#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <vector>

#include <handrail/core/random.h>
#include <handrail/train/guards/clip_guard.h>
#include <handrail/train/guards/overfitting_guard.h>
#include <handrail/train/guards/progress_guards.h>

#include "support/guard_runs.h"

using namespace handrail;
using namespace handrail::train;

namespace {

using Level = std::function<double(double step)>;

// A level with AR(1) noise of 5 % of it.
std::vector<double> curve(std::int64_t steps, const Level& level, double rho = 0, std::uint64_t seed = 1) {
  Rng rng(seed);
  std::vector<double> losses;
  double noise = rng.normal();
  for (std::int64_t i = 0; i < steps; ++i) {
    losses.push_back(level(static_cast<double>(i)) * (1 + 0.05 * noise));
    noise = rho * noise + std::sqrt(1 - rho * rho) * rng.normal();
  }
  return losses;
}

// The findings over losses, from step 1.
std::vector<Anomaly> findings(Guard& guard, const std::vector<double>& losses) {
  std::vector<Anomaly> all;
  for (std::size_t i = 0; i < losses.size(); ++i)
    if (auto anomaly = make_step(guard, loss_step(static_cast<std::int64_t>(i) + 1, losses[i])))
      all.push_back(std::move(*anomaly));
  return all;
}

EpochStats epoch(Index number, double train, std::optional<double> validation, std::int64_t step = 0) {
  EpochStats stats{.epoch = number, .step = step, .lr = 0.01, .train_loss = train, .validation = {}, .seconds = 1};
  if (validation) stats.validation = Evaluation{.loss = *validation, .samples = 100};
  return stats;
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

const Level flat = [](double) { return 1.0; };

}  // namespace

// The full table, with 400 runs a cell, is printed by tests/bench/guard_table.
TEST_CASE("a flat loss is called a plateau, one that falls by 1 % in 100 steps is not") {
  const Level linear = [](double i) { return 1 - 1e-4 * i; };
  const Level compounding = [](double i) { return std::pow(0.99, i / 100); };
  for (const double rho : {0.0, 0.5, 0.9}) {
    constexpr int runs = 25;
    int called_flat = 0, called_falling = 0;
    for (std::uint64_t seed = 1; seed <= runs; ++seed) {
      PlateauGuard a(50), b(50), c(500);
      called_flat += !findings(a, curve(5000, flat, rho, seed)).empty();
      called_falling += !findings(b, curve(5000, linear, rho, seed)).empty();
      called_falling += !findings(c, curve(5000, compounding, rho, seed)).empty();
    }
    CAPTURE(rho);
    CHECK(called_flat >= 0.8 * runs);
    CHECK(called_falling <= 2);
  }
}

TEST_CASE("losses of epochs that stay the same are a plateau, whatever the noise of the batches") {
  const auto called = [](std::vector<double> train, std::vector<double> validation) {
    PlateauGuard guard(50, 20 * 50);
    Rng rng(7);
    Index at = 0;
    for (std::size_t e = 0; e < train.size(); ++e) {
      for (int i = 0; i < 50; ++i) make_step(guard, loss_step(++at, train[e] * std::exp(rng.normal())));
      const auto given = validation.empty() ? std::nullopt : std::optional(validation[e]);
      if (const auto anomaly = guard.epoch_end(epoch(static_cast<Index>(e) + 1, train[e], given, at))) {
        CHECK(anomaly->name == "plateau");
        CHECK(contains(anomaly->evidence, "over the last 6 epochs"));
        check_headline(*anomaly);
        return e + 1;
      }
    }
    return std::size_t{0};
  };
  const std::vector<double> stuck{2, 1, .5, .5, .5001, .5, .5, .4999, .5, .5},
      falls{2, 1, .5, .49, .485, .48, .476, .472, .469, .466};
  CHECK(called(stuck, {}) == 8);
  CHECK(called(stuck, stuck) == 8);
  CHECK(called(falls, {}) == 0);
  CHECK(called(stuck, falls) == 0);
  CHECK(called(falls, stuck) == 0);
}

TEST_CASE("the documented plateau rule takes noise for a plateau") {
  int called = 0;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    PlateauGuard guard(50, 0, PlateauRule::documented);
    called += !findings(guard, curve(
                                   5000, [](double i) { return 1 - 1e-4 * i; }, 0.5, seed))
                   .empty();
  }
  CHECK(called > 5);
}

TEST_CASE("a plateau is reported with figures, and changes nothing") {
  PlateauGuard guard(50);
  const auto found = findings(guard, curve(3000, flat));
  REQUIRE(found.size() == 1);
  const Anomaly& anomaly = found[0];
  CHECK(anomaly.name == "plateau");
  CHECK(anomaly.action == Action::proceed);
  CHECK(anomaly.step >= 200);
  CHECK(contains(anomaly.evidence, "over the last "));
  CHECK((contains(anomaly.evidence, " fell by at most ") || contains(anomaly.evidence, " did not fall ")));
  CHECK_FALSE(anomaly.cause.empty());
  CHECK_FALSE(anomaly.remedy.empty());
}

TEST_CASE("a plateau is reported again only after progress resumed") {
  PlateauGuard guard(50);
  const auto found = findings(guard, curve(14'000, [](double i) {
                                if (i < 5000) return 1.0;
                                return 0.4 + 0.6 * std::exp(-(i - 5000) / 300);
                              }));
  REQUIRE(found.size() == 2);
  CHECK(found[0].step < 5000);
  CHECK(found[1].step > 6000);
}

TEST_CASE("a loss without noise is checked by its slope alone") {
  PlateauGuard still(50), falling(50), rising(50);
  CHECK(findings(still, std::vector<double>(500, 0.7)).size() == 1);
  std::vector<double> down, up;
  for (int i = 0; i < 5000; ++i) {
    down.push_back(1 - 1e-4 * i);
    up.push_back(1 + 1e-4 * i);
  }
  CHECK(findings(falling, down).empty());
  CHECK(findings(rising, up).size() == 1);
}

TEST_CASE("negative losses have plateaus too") {
  PlateauGuard still(50), falling(50);
  CHECK(findings(still, curve(3000, [](double) { return -4.0; })).size() == 1);
  CHECK(findings(falling, curve(3000, [](double i) { return -4 - 2e-3 * i; })).empty());
}

TEST_CASE("a schedule that lets the loss settle, or a task that is learnt, is no plateau") {
  PlateauGuard settling(50, 5000), open(50);
  const Level late = [](double i) { return i < 4000 ? 1 - 2e-4 * i : 0.2; };
  CHECK(findings(settling, curve(5000, late)).empty());
  CHECK(findings(open, curve(5000, late)).size() == 1);
  PlateauGuard learnt(50);
  CHECK(findings(learnt, curve(5000, [](double i) { return 0.005 + std::exp(-i / 30); })).empty());
}

TEST_CASE("a window for plateaus spans two epochs, within bounds") {
  for (const auto& [steps_per_epoch, first] : {std::pair{10, 200}, {300, 600}, {50'000, 2000}}) {
    PlateauGuard guard(steps_per_epoch);
    const auto found = findings(guard, std::vector<double>(2500, 1.0));
    REQUIRE(found.size() == 1);
    CHECK(found[0].step == first);
  }
}

TEST_CASE("slow progress is diagnosed with a rate to try, once") {
  SlowProgressGuard guard(50, 1000);
  std::vector<double> losses = curve(1000, [](double) { return 2.3; });
  const auto found = findings(guard, losses);
  REQUIRE(found.size() == 1);
  const Anomaly& anomaly = found[0];
  CHECK(anomaly.name == "slow_progress");
  CHECK(anomaly.step >= 200);
  CHECK(anomaly.step % 100 == 0);
  CHECK(anomaly.action == Action::proceed);
  CHECK(contains(anomaly.remedy, "lr = 0.1 instead of 0.01"));
  CHECK(contains(anomaly.evidence, "at first"));
  CHECK(contains(anomaly.evidence, "at the end"));
}

TEST_CASE("2.34, 2.33, 2.32 after thousands of steps is slow, a loss that falls is not") {
  constexpr std::int64_t steps = 4000;
  const auto slow = [&](const Level& level, std::uint64_t seed) {
    SlowProgressGuard guard(200, steps);
    return !findings(guard, curve(steps, level, 0.3, seed)).empty();
  };
  int stuck = 0, modest = 0, normal = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    stuck += slow([](double i) { return 2.34 - 0.02 * i / steps; }, seed);
    modest += slow([](double i) { return 2.34 * (1 - 0.4 * i / steps); }, seed);
    normal += slow([](double i) { return 2.34 * std::exp(-i / 500); }, seed);
  }
  CHECK(stuck == 20);
  CHECK(modest <= 1);
  CHECK(normal == 0);
}

TEST_CASE("every run of at least 50 steps is judged, at the latest when its last epoch ends") {
  for (const std::int64_t steps : {50, 51, 60, 99, 120, 199, 300, 777}) {
    SlowProgressGuard guard(steps / 20, steps);
    auto found = findings(guard, std::vector<double>(static_cast<std::size_t>(steps), 2.3));
    if (auto last = guard.epoch_end(epoch(1, 2.3, {}, steps))) found.push_back(std::move(*last));
    CAPTURE(steps);
    REQUIRE(found.size() == 1);
    CHECK(found[0].step >= 50);
  }
  SlowProgressGuard tiny(2, 49);
  CHECK(findings(tiny, std::vector<double>(49, 2.3)).empty());
  CHECK_FALSE(tiny.epoch_end(epoch(1, 2.3, {}, 49)));
}

TEST_CASE("progress is not checked before the warmup has ended") {
  SlowProgressGuard guard(500, 5000);
  const auto found = findings(guard, std::vector<double>(2000, 2.3));
  REQUIRE(found.size() == 1);
  CHECK(found[0].step == 540);
}

TEST_CASE("the rate of a network with a dead layer is not called too low, unless the layer is frozen") {
  for (const double norm : {0.0, 1e-9, 1e-3})
    for (const bool frozen : {false, true}) {
      const std::vector<double> norms{norm, 1};
      SlowProgressGuard guard(0, 1000, [frozen](std::size_t layer) { return layer != 0 || !frozen; });
      int found = 0;
      for (std::int64_t step = 1; step <= 1000; ++step) {
        StepStats stats = loss_step(step, 2.3);
        stats.layer_norms = norms;
        found += make_step(guard, stats).has_value();
      }
      CHECK(found == (norm == 1e-3 || frozen ? 1 : 0));
    }
}

TEST_CASE("a loss that rises is not reported as slow progress") {
  SlowProgressGuard guard(0, 1000);
  CHECK(findings(guard, curve(1000, [](double i) { return 1 + 3e-4 * i; })).empty());
}

TEST_CASE("a validation loss that rises while the training loss falls is overfitting, reported once") {
  OverfittingGuard guard;
  for (int i = 1; i <= 20; ++i) make_step(guard, loss_step(i, 2.3));
  CHECK_FALSE(guard.epoch_end(epoch(1, 1.5, 1.4)));
  CHECK_FALSE(guard.epoch_end(epoch(2, 1.0, 1.1)));
  CHECK_FALSE(guard.epoch_end(epoch(3, 0.8, 1.3)));
  CHECK_FALSE(guard.epoch_end(epoch(4, 0.6, 1.4)));  // the best is two epochs old
  const auto anomaly = guard.epoch_end(epoch(5, 0.4, 1.5, 500));
  REQUIRE(anomaly);
  CHECK(anomaly->name == "overfitting");
  CHECK(anomaly->step == 500);
  CHECK(anomaly->action == Action::proceed);
  CHECK(contains(anomaly->evidence, "val_loss rose from 1.1 in epoch 2 to 1.5"));
  CHECK(contains(anomaly->details, "from 1 to 0.4"));
  CHECK_FALSE(guard.epoch_end(epoch(6, 0.3, 2)));
}

TEST_CASE("overfitting is a note when the best weights are restored, because nothing is lost but time") {
  for (const bool restored : {false, true}) {
    OverfittingGuard guard(restored);
    for (int i = 1; i <= 20; ++i) make_step(guard, loss_step(i, 2.3));
    guard.epoch_end(epoch(1, 1.0, 1.1));
    const auto anomaly = guard.epoch_end(epoch(5, 0.4, 1.5));
    REQUIRE(anomaly);
    check_headline(*anomaly);
    CHECK(anomaly->severity == (restored ? Severity::note : Severity::warning));
    CHECK(contains(anomaly->details, "the best weights are restored") == restored);
  }
}

TEST_CASE("where the best weights are restored, overfitting is told only when the best came in the first twentieth") {
  for (const Index planned : {60, 120}) {
    OverfittingGuard guard(true, planned);
    for (int i = 1; i <= 20; ++i) make_step(guard, loss_step(i, 2.3));
    guard.epoch_end(epoch(5, 1.0, 1.1));
    CHECK(guard.epoch_end(epoch(9, 0.4, 1.5)).has_value() == (planned == 120));
  }
}

TEST_CASE("a training loss with the wrong sign is called that, and not overfitting") {
  OverfittingGuard guard;
  for (int i = 1; i <= 20; ++i) make_step(guard, loss_step(i, -2.3));
  CHECK_FALSE(guard.epoch_end(epoch(1, -2.5, 2.6)));
  const auto anomaly = guard.epoch_end(epoch(2, -4.0, 4.123, 200));
  REQUIRE(anomaly);
  check_headline(*anomaly);
  CHECK(anomaly->name == "loss_sign");
  CHECK(anomaly->rank == Rank::setup);
  CHECK(anomaly->severity == Severity::warning);
  CHECK(contains(anomaly->evidence, "falls below 0 while val_loss rises from 2.6 to 4.123"));
  CHECK(contains(anomaly->remedy, "change the sign"));
  CHECK(contains(anomaly->details, "-2.3 at first and is -4"));
  CHECK_FALSE(guard.epoch_end(epoch(3, -8.0, 8.0)));

  // The validation loss may have the wrong sign too: then the accuracy tells. A loss may be negative for good reasons.
  for (const double accuracy : {0.1, 0.9}) {
    OverfittingGuard both;
    for (int i = 1; i <= 20; ++i) make_step(both, loss_step(i, -2.3));
    both.epoch_end(epoch(1, -3.0, -3.0));
    EpochStats later = epoch(5, -9.0, -2.0);
    later.validation->measured_accuracy = accuracy;
    const auto found = both.epoch_end(later);
    REQUIRE(found);
    check_headline(*found);
    CHECK(found->name == (accuracy < 0.5 ? "loss_sign" : "overfitting"));
  }
}

TEST_CASE("no overfitting: without validation, a small rise, a training loss that does not fall, tiny losses") {
  const auto quiet = [](double train, double validation, double last_train, double last_validation) {
    OverfittingGuard guard;
    for (int i = 1; i <= 20; ++i) make_step(guard, loss_step(i, 2.3));
    guard.epoch_end(epoch(1, train, validation));
    return !guard.epoch_end(epoch(9, last_train, last_validation));
  };
  CHECK_FALSE(quiet(1.0, 1.0, 0.5, 1.2));
  CHECK(quiet(1.0, 1.0, 0.5, 1.09));
  CHECK(quiet(1.0, 1.0, 1.0, 1.5));
  CHECK(quiet(1e-3, 2e-3, 1e-5, 0.02));
  CHECK(quiet(1.0, 1.0, 1.0, std::numeric_limits<double>::quiet_NaN()));
  OverfittingGuard none;
  for (Index number = 1; number < 20; ++number)
    CHECK_FALSE(none.epoch_end(epoch(number, 1.0 / static_cast<double>(number), {})));
}

TEST_CASE("overfitting is seen for negative losses too") {
  OverfittingGuard guard;
  for (int i = 1; i <= 20; ++i) make_step(guard, loss_step(i, 1));
  guard.epoch_end(epoch(1, -1.0, -1.0));
  CHECK_FALSE(guard.epoch_end(epoch(5, -2.0, -0.95)));
  CHECK(guard.epoch_end(epoch(6, -3.0, -0.5)));
}

namespace {

// One step whose gradient has that norm, clipped when above 1.
std::optional<Anomaly> clip_step(Guard& guard, std::int64_t step, double norm) {
  StepStats stats = loss_step(step, 1);
  stats.grad_norm = norm;
  stats.clipped = norm > 1;
  return make_step(guard, stats);
}

}  // namespace

TEST_CASE("too much clipping is reported once a stretch, with the norm to clip at") {
  ClipPressureGuard guard(30, 1, ClipRule::documented);
  std::vector<Anomaly> found;
  std::int64_t step = 0;
  const auto run = [&](int count, auto&& norm) {
    for (int i = 0; i < count; ++i)
      if (auto anomaly = clip_step(guard, ++step, norm(i))) found.push_back(std::move(*anomaly));
  };
  run(1000, [](int i) { return i % 2 == 0 ? 0.5 : 3.0; });  // half of them, not more
  CHECK(found.empty());
  run(1000, [](int i) { return 2.0 + 0.01 * (i % 100); });
  REQUIRE(found.size() == 1);
  CHECK(found[0].name == "clip_pressure");
  CHECK(found[0].action == Action::proceed);
  CHECK(contains(found[0].evidence, "51 of the last 100"));
  run(20, [](int) { return 0.5; });
  run(1000, [](int) { return 3.0; });  // still the same stretch
  CHECK(found.size() == 1);
  run(100, [](int) { return 0.5; });
  run(1000, [](int i) { return i % 10 == 0 ? 50.0 : 4.0; });
  REQUIRE(found.size() == 2);
  CHECK(contains(found[1].remedy, "clip_norm = 4,"));
}

TEST_CASE("clipping that leaves half of the length of the gradients is not reported, stronger clipping is") {
  const auto found = [](double norm) {
    ClipPressureGuard guard(30, 1);
    std::optional<Anomaly> anomaly;
    for (std::int64_t step = 1; step <= 1000 && !anomaly; ++step) anomaly = clip_step(guard, step, norm);
    return anomaly;
  };
  CHECK_FALSE(found(1.9));
  const auto anomaly = found(4);
  REQUIRE(anomaly);
  check_headline(*anomaly);
  CHECK(anomaly->name == "clip_pressure");
  CHECK(anomaly->step == 140);
  CHECK(anomaly->evidence == "100 of the last 100 gradients were clipped, to 25 % of their length");
  CHECK(contains(anomaly->cause, "lr 0.01 acts like 0.0025"));
  // A few long gradients among many that are not clipped change little.
  ClipPressureGuard guard(0, 1);
  for (std::int64_t step = 1; step <= 1000; ++step) CHECK_FALSE(clip_step(guard, step, step % 3 == 0 ? 50 : 0.5));
}

TEST_CASE("clipping is not checked before 100 steps after the warmup") {
  ClipPressureGuard guard(150, 1, ClipRule::documented);
  std::int64_t step = 1;
  while (!clip_step(guard, step, 5) && step < 1000) ++step;
  CHECK(step == 251);
  ClipPressureGuard free(0, 1, ClipRule::documented);
  for (step = 1; step <= 100; ++step) CHECK_FALSE(clip_step(free, step, 5));
  CHECK(clip_step(free, step, 5));
}

TEST_CASE("guards of the progress continue from their state as if they had never stopped") {
  std::vector<StepStats> steps;
  Rng rng(7);
  const auto losses = curve(
      3000, [](double i) { return i < 1200 || i > 1700 ? 1.0 : 1.2 - 4e-4 * (i - 1200); }, 0.5);
  for (std::size_t i = 0; i < losses.size(); ++i) {
    steps.push_back(loss_step(static_cast<std::int64_t>(i) + 1, losses[i]));
    steps.back().grad_norm = std::exp(rng.normal() + std::sin(static_cast<double>(i) / 100));
    steps.back().clipped = steps.back().grad_norm > 1;
  }
  const std::vector<std::size_t> cuts{0, 7, 150, 199, 500, 777, 1300, 2500, 2999};
  CHECK(check_resume([] { return std::make_unique<PlateauGuard>(50); }, steps, cuts).size() >= 1);
  const auto documented = [] { return std::make_unique<PlateauGuard>(50, 0, PlateauRule::documented); };
  CHECK(check_resume(documented, steps, cuts).size() > 3);
  CHECK(check_resume([] { return std::make_unique<SlowProgressGuard>(100, 3000); }, steps, cuts).size() == 1);
  const auto by_count = [] { return std::make_unique<ClipPressureGuard>(100, 1, ClipRule::documented); };
  CHECK(check_resume(by_count, steps, cuts).size() > 2);
  CHECK(check_resume([] { return std::make_unique<ClipPressureGuard>(100, 0.5); }, steps, cuts).size() > 1);
  check_resume([] { return std::make_unique<OverfittingGuard>(); }, steps, cuts);
}

TEST_CASE("overfitting is found after a restart") {
  OverfittingGuard first, second;
  for (int i = 1; i <= 20; ++i) make_step(first, loss_step(i, 2.3));
  first.epoch_end(epoch(1, 1.0, 1.0));
  first.epoch_end(epoch(2, 0.9, 1.1));
  REQUIRE(train::load_state(second, train::save_state(first)));
  CHECK_FALSE(second.epoch_end(epoch(3, 0.6, 1.2)));
  CHECK(second.epoch_end(epoch(4, 0.5, 1.3)));
  REQUIRE(train::load_state(first, train::save_state(second)));
  CHECK_FALSE(first.epoch_end(epoch(5, 0.4, 1.4)));
}

TEST_CASE("after a rollback the progress guards look at new losses only") {
  PlateauGuard plateau(50);
  findings(plateau, std::vector<double>(199, 1.0));
  plateau.rolled_back();
  CHECK(findings(plateau, std::vector<double>(199, 1.0)).empty());
  CHECK(findings(plateau, std::vector<double>(1, 1.0)).size() == 1);

  ClipPressureGuard clip(0, 1, ClipRule::documented);
  for (std::int64_t step = 1; step <= 100; ++step) clip_step(clip, step, 5);
  clip.rolled_back();
  for (std::int64_t step = 101; step <= 199; ++step) CHECK_FALSE(clip_step(clip, step, 5));
  CHECK(clip_step(clip, 200, 5));

  OverfittingGuard overfitting;
  overfitting.epoch_end(epoch(1, 1.0, 0.1));
  overfitting.rolled_back();
  CHECK_FALSE(overfitting.epoch_end(epoch(8, 0.5, 1.0)));
}
