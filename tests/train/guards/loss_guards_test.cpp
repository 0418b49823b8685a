#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <memory>
#include <vector>

#include <handrail/core/random.h>
#include <handrail/train/guards/loss_guards.h>

#include "support/guard_runs.h"

using namespace handrail;
using namespace handrail::train;

namespace {

constexpr double nan_value = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

std::vector<double> noise(std::size_t count, double level, double spread, std::uint64_t seed = 1) {
  Rng rng(seed);
  std::vector<double> losses(count);
  for (double& loss : losses) loss = level + spread * rng.normal();
  return losses;
}

// Anomalys of a guard over losses that are not all there are: steps are counted on.
class Run {
 public:
  explicit Run(Guard& guard) : guard_(guard) {}
  std::optional<Anomaly> step(double loss) { return make_step(guard_, loss_step(++step_, loss)); }
  int quiet_steps(const std::vector<double>& losses) {
    int findings = 0;
    for (const double loss : losses) findings += step(loss).has_value();
    return findings;
  }

 private:
  Guard& guard_;
  std::int64_t step_ = 0;
};

struct Fixed final : SampleLosses {
  explicit Fixed(std::optional<double> number) : value(number) {}
  std::optional<double> concentration() const override {
    ++calls;
    return value;
  }
  std::optional<double> value;
  mutable int calls = 0;
};

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("bad steps in a row are answered in this order: skip, reduce the rate, roll back, stop") {
  NonFiniteGuard guard;
  Run run(guard);
  CHECK_FALSE(run.step(1));
  std::vector<Action> actions;
  std::vector<double> factors;
  for (int i = 0; i < 24; ++i) {
    const auto anomaly = run.step(nan_value);
    REQUIRE(anomaly);
    CHECK(anomaly->name == "non_finite");
    CHECK(anomaly->step == i + 2);
    actions.push_back(anomaly->action);
    factors.push_back(anomaly->lr_factor);
  }
  for (std::size_t attempt = 0; attempt < 4; ++attempt) {
    CAPTURE(attempt);
    const Action last = attempt < 3 ? Action::rollback : Action::stop;
    const std::vector<Action> want{Action::skip, Action::skip, Action::reduce_lr, Action::skip, Action::skip, last};
    for (std::size_t i = 0; i < 6; ++i) {
      CHECK(actions[6 * attempt + i] == want[i]);
      CHECK(factors[6 * attempt + i] == 0.5);  // of the rate, where the action lowers it
    }
  }
}

TEST_CASE("an accepted step ends the row of bad ones, but does not reset the count of rollbacks") {
  NonFiniteGuard guard;
  Run run(guard);
  for (int i = 0; i < 20; ++i) {
    CHECK(run.step(infinity)->action == Action::skip);
    CHECK(run.step(nan_value)->action == Action::skip);
    CHECK_FALSE(run.step(1));
  }
  for (int attempt = 0; attempt < 3; ++attempt) {
    for (int i = 0; i < 5; ++i) run.step(nan_value);
    CHECK(run.step(nan_value)->action == Action::rollback);
    CHECK_FALSE(run.step(1));
  }
  for (int i = 0; i < 5; ++i) run.step(nan_value);
  const auto last = run.step(nan_value);
  CHECK(last->action == Action::stop);
  CHECK(contains(last->evidence, "after 3 rollbacks"));
}

TEST_CASE("gradients and updates that are not finite are answered in the same order") {
  NonFiniteGuard guard(2);
  StepStats stats = loss_step(7, 1.5);
  stats.grad_norm = infinity;
  const auto first = make_step(guard, stats);
  REQUIRE(first);
  CHECK(first->action == Action::skip);
  CHECK(contains(first->evidence, "gradient norm inf at loss 1.5, bad step 1 in a row"));

  stats.grad_norm = 1e30;
  const Anomaly second = *guard.update_refused(stats, NonFiniteError("its square overflows", "hidden.weight"));
  CHECK(second.action == Action::reduce_lr);
  CHECK(second.lr_factor == 0.5);
  CHECK(second.where == "hidden.weight");
  CHECK(contains(second.evidence, "bad step 2"));
  CHECK(second.details == "its square overflows");
  CHECK(second.step == 7);
  CHECK_FALSE(second.cause.empty());
  CHECK_FALSE(second.remedy.empty());
}

TEST_CASE("a spike of twenty times the usual loss is seen in the step it happens") {
  int caught = 0;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    LossGuard guard(true, true, 0);
    Run run(guard);
    CHECK(run.quiet_steps(noise(150, 2, 0.3, seed)) == 0);
    const auto anomaly = run.step(40);
    caught += anomaly && anomaly->name == "spike" && anomaly->step == 151;
    if (anomaly) CHECK(anomaly->action == Action::proceed);
    CHECK(run.quiet_steps(noise(100, 2, 0.3, seed + 100)) == 0);
  }
  CHECK(caught == 50);
}

TEST_CASE("nothing is a spike before twenty losses are known") {
  LossGuard guard(true, false, 0);
  Run run(guard);
  run.quiet_steps(std::vector<double>(19, 1.0));
  CHECK_FALSE(run.step(500));
}

TEST_CASE("a spike stays out of what later losses are compared with") {
  LossGuard guard(true, false, 0);
  Run run(guard);
  CHECK(run.quiet_steps(noise(100, 1, 0.1)) == 0);
  const double mean = guard.spikes().mean();
  CHECK(run.step(50));
  CHECK(guard.spikes().spiked());
  CHECK(guard.spikes().mean() == mean);
  CHECK(run.step(51));
  CHECK(guard.spikes().in_a_row() == 2);
  CHECK_FALSE(run.step(1));
  CHECK(guard.spikes().in_a_row() == 0);
}

TEST_CASE("ten spikes in a row are the new level") {
  LossGuard guard(true, false, 0);
  Run run(guard);
  CHECK(run.quiet_steps(noise(200, 1, 0.1)) == 0);
  CHECK(run.quiet_steps(noise(10, 50, 2)) == 10);
  CHECK(guard.spikes().mean() == doctest::Approx(50).epsilon(0.1));
  CHECK(run.quiet_steps(noise(300, 50, 2, 2)) == 0);
  CHECK(run.step(1200));
}

TEST_CASE("a hard sample among nearly memorised ones is no spike; by the documented rule it is one") {
  for (const SpikeRule rule : {SpikeRule::robust, SpikeRule::documented}) {
    LossGuard guard(true, true, 0, rule);
    Run run(guard);
    Rng rng(3);
    int findings = run.quiet_steps(noise(100, 2.3, 0.1));
    for (int i = 0; i < 2000; ++i) run.step(2.3 * std::exp(-i / 150.0));
    findings = 0;
    // Log-normal around 1e-4, and now and then a batch of 0.02 to 0.2.
    for (int i = 0; i < 20'000; ++i) {
      const bool hard = rng.below(150) == 0;
      findings += run.step(hard ? rng.uniform(0.02, 0.2) : 1e-4 * std::exp(rng.normal())).has_value();
    }
    if (rule == SpikeRule::robust)
      CHECK(findings == 0);
    else
      CHECK(findings > 50);
  }
}

TEST_CASE("a spike of 20 times in a run that is nearly memorised is seen when most samples of the batch have it") {
  LossGuard guard(true, true, 0);
  Rng rng(5);
  std::int64_t step = 0;
  int findings = 0;
  // The losses of the samples are log-normal, and in one batch of 50 one sample has a hundred times the others.
  const auto make = [&](double factor, bool hard, bool known = true) {
    const double typical = 1e-4 * std::exp(0.2 * rng.normal());
    const double concentration = 1 + 0.3 * rng.uniform() + (hard ? std::log(factor) : 0);
    const Fixed samples(known ? std::optional(concentration) : std::nullopt);
    StepStats stats = loss_step(++step, typical * factor);
    stats.sample_losses = &samples;
    return make_step(guard, stats).has_value();
  };
  for (int i = 0; i < 20; ++i) findings += make(2e4, false);
  for (int i = 0; i < 3000; ++i) findings += i % 50 == 0 ? make(100, true) : make(1, false);
  CHECK(findings == 0);
  CHECK(make(60, false));  // the mean is three times a typical loss
  CHECK_FALSE(make(60, true));
  CHECK_FALSE(make(60, false, false));
}

TEST_CASE("the losses of samples are computed only where the losses of batches have a heavy tail") {
  LossGuard guard(true, true, 0);
  Rng rng(6);
  const Fixed samples(1);
  const auto calls = [&](double spread) {
    const int before = samples.calls;
    for (std::int64_t step = 1; step <= 400; ++step) {
      StepStats stats = loss_step(step, 0.01 * std::exp(spread * rng.normal()));
      stats.sample_losses = &samples;
      make_step(guard, stats);
    }
    return samples.calls - before;
  };
  CHECK(calls(0.2) == 0);
  CHECK(calls(1) >= 20);
}

TEST_CASE("spikes are notes while the loss is below half of the initial one, or the first two of a run") {
  const auto severity_of_third = [](double spike) {
    LossGuard guard(true, true, 0);
    Run run(guard);
    run.quiet_steps(std::vector<double>(10, 2.3));
    run.quiet_steps(std::vector<double>(300, 0.004));
    std::optional<Anomaly> anomaly;
    for (int i = 0; i < 3; ++i) {
      anomaly = run.step(spike);
      REQUIRE(anomaly);
      if (i < 2) CHECK(anomaly->severity == Severity::note);
      run.quiet_steps(std::vector<double>(60, 0.004));
    }
    return anomaly->severity;
  };
  CHECK(severity_of_third(1.1) == Severity::note);
  CHECK(severity_of_third(1.2) == Severity::warning);
}

TEST_CASE("a jump above the initial loss is a spike of a memorised task too") {
  LossGuard guard(true, false, 0);
  Run run(guard);
  run.quiet_steps(std::vector<double>(10, 2.3));
  Rng rng(4);
  for (int i = 0; i < 500; ++i) run.step(i % 40 == 0 ? 0.1 : 1e-4 * std::exp(rng.normal()));
  CHECK(run.step(7));
}

TEST_CASE("losses that are negative or around zero have no false alarms, and their spikes are seen") {
  for (const double level : {-5.0, 0.0, 0.3}) {
    CAPTURE(level);
    LossGuard guard(true, true, 0);
    Run run(guard);
    CHECK(run.quiet_steps(noise(20'000, level, 1)) == 0);
    CHECK(run.step(level + 20));
    CHECK(run.quiet_steps(noise(1000, level, 1, 2)) == 0);
  }
  // Where the ratio alone is of no use: it sees nothing but spikes, or none at all.
  LossGuard documented(true, false, 0, SpikeRule::documented);
  Run run(documented);
  CHECK(run.quiet_steps(noise(200, -5, 1)) > 50);
}

TEST_CASE("losses that are all zero are no spikes, and a tiny one after them is none either") {
  LossGuard guard(true, true, 0);
  Run run(guard);
  run.quiet_steps(std::vector<double>(10, 1.0));
  CHECK(run.quiet_steps(std::vector<double>(300, 0.0)) == 0);
  CHECK_FALSE(run.step(1e-3));
  CHECK(run.step(5));
}

TEST_CASE("a falling loss of any shape is no spike") {
  LossGuard guard(true, true, 0);
  Run run(guard);
  for (int i = 0; i < 3000; ++i) CHECK_FALSE(run.step(1e6 * std::exp(-i / 50.0)));
}

TEST_CASE("a batch that is shorter than others counts by its share of samples") {
  for (const Index samples : {32, 4}) {
    LossGuard guard(true, false, 0);
    Run run(guard);
    run.quiet_steps(noise(100, 1, 0.1));
    StepStats stats = loss_step(101, 15);
    stats.samples = samples;
    CHECK(make_step(guard, stats).has_value() == (samples == 32));
  }
}

TEST_CASE("the third spike in a row is divergence: a rollback before its update, to a tenth of the rate") {
  LossGuard guard(true, true, 0);
  Run run(guard);
  run.quiet_steps(noise(100, 1, 0.1));
  CHECK(run.step(30)->name == "spike");
  CHECK(run.step(40)->name == "spike");
  const auto anomaly = guard.check_loss(loss_step(103, 50));
  REQUIRE(anomaly);
  CHECK(anomaly->name == "divergence");
  CHECK(anomaly->action == Action::rollback);
  CHECK(anomaly->lr_factor == 0.1);
  CHECK(contains(anomaly->evidence, "loss 50, recent mean "));
  CHECK(contains(anomaly->evidence, "spike 3 in a row"));
  CHECK(contains(anomaly->remedy, "lower lr tenfold"));
  CHECK(contains(anomaly->details, "lr was 0.01 at this step"));
}

TEST_CASE("after three rollbacks divergence stops training") {
  LossGuard guard(true, true, 0);
  Run run(guard);
  std::vector<Action> actions;
  std::vector<double> factors;
  for (int attempt = 0; attempt < 4; ++attempt) {
    CHECK(run.quiet_steps(noise(100, 1, 0.1)) == 0);
    run.step(30);
    run.step(40);
    const auto anomaly = run.step(50);
    REQUIRE(anomaly);
    actions.push_back(anomaly->action);
    factors.push_back(anomaly->lr_factor);
  }
  CHECK(actions == std::vector<Action>{Action::rollback, Action::rollback, Action::rollback, Action::stop});
  CHECK(factors == std::vector<double>{0.1, 0.5, 0.5, 0.5});
}

TEST_CASE("an average loss far above the initial one is divergence, after the warmup") {
  for (const std::int64_t warmup : {0, 300}) {
    LossGuard guard(true, true, warmup);
    Run run(guard);
    run.quiet_steps(noise(10, 2.3, 0.1));
    std::int64_t found_at = 0;
    for (std::int64_t step = 11; step <= 400 && found_at == 0; ++step) {
      const auto anomaly = run.step(std::min(2.3 + 0.05 * static_cast<double>(step), 8.0));
      if (!anomaly) continue;
      found_at = step;
      CHECK(anomaly->name == "divergence");
      CHECK(contains(anomaly->evidence, "average loss "));
    }
    CHECK(found_at > std::max<std::int64_t>(warmup, 20));
    CHECK(found_at < std::max<std::int64_t>(warmup + 2, 100));
  }
}

TEST_CASE("a rate that is too high from the first step on is found") {
  LossGuard guard(true, true, 0);
  Run run(guard);
  const std::vector<double> start{2.34, 5.67, 23, 60, 80, 120, 100, 110, 90, 100};
  CHECK(run.quiet_steps(start) == 0);
  bool found = false;
  for (int i = 0; i < 15 && !found; ++i) found = run.step(100 + i % 3).has_value();
  CHECK(found);
}

TEST_CASE("a lone spike of any size is no divergence, but every other step is") {
  LossGuard lone(true, true, 0), often(true, true, 0);
  Run first(lone), second(often);
  first.quiet_steps(noise(40, 1, 0.05));
  second.quiet_steps(noise(40, 1, 0.05));
  CHECK(first.step(1e30)->name == "spike");
  CHECK(first.quiet_steps(noise(200, 1, 0.05)) == 0);
  bool diverged = false;
  for (int i = 0; i < 100 && !diverged; ++i) {
    const auto anomaly = second.step(i % 2 == 0 ? 156.7 : 1.0);
    diverged = anomaly && anomaly->name == "divergence";
  }
  CHECK(diverged);
}

TEST_CASE("noise around a small or negative initial loss is no divergence") {
  for (const double level : {-2.0, 0.01, 0.0}) {
    int findings = 0;
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
      LossGuard guard(true, true, 0);
      Run run(guard);
      findings += run.quiet_steps(noise(300, level, 1, seed));
    }
    CAPTURE(level);
    CHECK(findings == 0);
  }
  // A loss that is positive throughout, of 0.05 with a tail of six times that.
  LossGuard guard(true, true, 0);
  Run run(guard);
  Rng rng(5);
  int findings = 0;
  for (int i = 0; i < 5000; ++i) findings += run.step(0.05 * std::exp(0.5 * rng.normal())).has_value();
  CHECK(findings == 0);
}

TEST_CASE(
    "a loss that explodes in the first steps is divergence, the noise of a model that is trained already is not") {
  LossGuard guard(true, true, 0);
  Run run(guard);
  CHECK_FALSE(run.step(2.3));
  CHECK_FALSE(run.step(300));  // one may be an unusual batch
  CHECK_FALSE(run.step(900));
  const auto anomaly = run.step(400);
  REQUIRE(anomaly);
  CHECK(anomaly->name == "divergence");
  CHECK(anomaly->action == Action::rollback);

  LossGuard trained(true, true, 0);
  Run calm(trained);
  for (const double loss : {1e-4, 2e-4, 0.3, 0.2, 0.4, 1e-4}) CHECK_FALSE(calm.step(loss));
}

TEST_CASE("spikes and divergence can each be off") {
  LossGuard only_divergence(false, true, 0), only_spikes(true, false, 0);
  Run first(only_divergence), second(only_spikes);
  const auto calm = noise(100, 1, 0.1);
  first.quiet_steps(calm);
  second.quiet_steps(calm);
  CHECK_FALSE(first.step(30));
  CHECK_FALSE(first.step(40));
  CHECK(first.step(50)->name == "divergence");
  for (int i = 0; i < 5; ++i) CHECK(second.step(30)->name == "spike");
  CHECK(second.quiet_steps(std::vector<double>(300, 30.0)) == 5);  // to the tenth in a row
}

TEST_CASE("the loss guard ignores a loss that is not finite, which NonFiniteGuard reports") {
  LossGuard guard(true, true, 0);
  Run run(guard);
  run.quiet_steps(noise(50, 1, 0.1));
  const double mean = guard.spikes().mean();
  CHECK_FALSE(run.step(nan_value));
  CHECK_FALSE(run.step(infinity));
  CHECK(guard.spikes().mean() == mean);
}

TEST_CASE("after a rollback recent losses are forgotten") {
  LossGuard guard(true, true, 0);
  Run run(guard);
  run.quiet_steps(noise(100, 1, 0.1));
  guard.rolled_back();
  CHECK(guard.spikes().empty());
  CHECK(run.quiet_steps(std::vector<double>(19, 1.0)) == 0);
  CHECK_FALSE(run.step(12));  // the 20th
}

TEST_CASE("guards of the loss continue from their state as if they had never stopped") {
  Rng rng(6);
  std::vector<StepStats> steps;
  const std::vector<Fixed> samples{Fixed(0.4), Fixed(0.5), Fixed(std::nullopt), Fixed(0.6), Fixed(3)};
  for (std::int64_t step = 1; step <= 900; ++step) {
    double loss = (step > 500 ? -1 : 2) * (1 + 0.1 * rng.normal());
    if (step % 97 == 0) loss = 60;
    if (step >= 300 && step < 304) loss = 80 + static_cast<double>(step);
    if (step >= 700 && step < 712) loss = 40 + rng.normal();
    if (step % 130 < 3) loss = nan_value;
    if (step >= 820 && step < 840) loss = infinity;
    steps.push_back(loss_step(step, loss));
    steps.back().samples = step % 10 == 0 ? 5 : 32;
    steps.back().sample_losses = &samples[static_cast<std::size_t>(step) % samples.size()];
  }
  const std::vector<std::size_t> cuts{0, 1, 5, 60, 97, 131, 260, 301, 302, 450, 560, 705, 824, 830, 899};
  const auto loss_guard = [] { return std::make_unique<LossGuard>(true, true, 40); };
  const auto warning_guard = [] { return std::make_unique<LossGuard>(true, false, 40); };
  const auto documented = [] { return std::make_unique<LossGuard>(true, false, 40, SpikeRule::documented); };
  const auto non_finite = [] { return std::make_unique<NonFiniteGuard>(); };
  CHECK(check_resume(loss_guard, steps, cuts).size() > 5);
  CHECK(check_resume(warning_guard, steps, cuts).size() > 15);
  CHECK(check_resume(documented, steps, cuts).size() > 15);
  CHECK(check_resume(non_finite, steps, cuts).size() > 20);
}

TEST_CASE("a step that was refused leaves nothing for a later step in which the losses of the samples are not known") {
  const Fixed known(0.4);
  LossGuard guard(true, true, 0), resumed(true, true, 0);
  StepStats stats = loss_step(0, 2);
  for (stats.step = 1; stats.step <= 8; ++stats.step) {
    stats.sample_losses = &known;
    CHECK_FALSE(guard.check_loss(stats));
    if (stats.step < 8) guard.accepted(stats);  // the eighth, whose typical loss counts, is refused
  }
  REQUIRE(load_state(resumed, save_state(guard)));
  stats.sample_losses = nullptr;
  for (LossGuard* one : {&guard, &resumed}) CHECK_FALSE(make_step(*one, stats));
  CHECK(save_state(guard) == save_state(resumed));
}
