#include <doctest/doctest.h>

#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <handrail/train/checks/internal/settings/norm_checks.h>
#include <handrail/train/checks/internal/settings/optimizer_checks.h>
#include <handrail/train/checks/internal/settings/settings_checks.h>

#include "support/guard_runs.h"
#include "support/tasks.h"

using namespace handrail;
using namespace handrail::train;

namespace {

std::string schedule_name(const optim::Schedule& schedule, std::int64_t steps, Index epochs = 10, double lr = 1e-3) {
  return name_of(
      check_schedule(sampled_rates(schedule, steps), {.steps = steps, .epochs = epochs, .rows = 800, .lr = lr}));
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("weight decay is judged by what it takes off the weights") {
  const auto decay = [](double weight_decay, double lr, std::int64_t steps) {
    const std::vector<optim::ParamGroup> groups{{.name = "decay", .params = {}, .weight_decay = weight_decay}};
    return check_weight_decay(groups, sampled_rates(optim::constant(lr), steps), steps);
  };
  CHECK(name_of(decay(10, 1e-3, 500)) == "weight_decay_too_high");
  CHECK(name_of(decay(0.01, 0.5, 500)) == "");  // the default, at a high rate
  CHECK(name_of(decay(10, 1e-3, 5)) == "");
  CHECK(name_of(decay(0.1, 3e-3, 100'000)) == "");
  CHECK(name_of(decay(0, 1, 500)) == "");
}

TEST_CASE("a penalty in a gradient that Adam divides by its size is judged without the rate") {
  const auto penalty = [](double weight_decay, std::int64_t steps) {
    const std::vector<optim::ParamGroup> groups{{.name = "decay", .params = {}, .weight_decay = weight_decay}};
    return name_of(
        check_weight_decay(groups, sampled_rates(optim::constant(1e-3), steps), steps, {.kind = Penalty::scaled}));
  };
  CHECK(penalty(1, 500) == "weight_decay_too_high");
  CHECK(penalty(1, 5) == "");
  CHECK(penalty(0.1, 500) == "");
  const std::vector<Parameter> parameters = small_model().parameters();
  const auto groups = optim::decay_groups(parameters, 1);
  CHECK(penalty_of(optim::Adam(groups)).kind == Penalty::scaled);
  CHECK(penalty_of(optim::AdamW(groups)).kind == Penalty::decoupled);
  CHECK(penalty_of(optim::SGD(groups)).kind == Penalty::in_gradient);
  CHECK(penalty_of(optim::SGD(groups, {.momentum = 0.75})).gain == 4);
}

TEST_CASE("a penalty in a gradient is judged by what is left of a weight, with the momentum of the rule") {
  const auto penalty = [](double weight_decay, double momentum, std::int64_t steps) {
    const std::vector<optim::ParamGroup> groups{{.name = "decay", .params = {}, .weight_decay = weight_decay}};
    return name_of(check_weight_decay(groups, sampled_rates(optim::constant(0.05), steps), steps,
                                      {.kind = Penalty::in_gradient, .gain = 1 / (1 - momentum)}));
  };
  CHECK(penalty(0.1, 0.9, 500) == "weight_decay_too_high");
  CHECK(penalty(0.1, 0, 500) == "");
  CHECK(penalty(0.1, 0, 1000) == "weight_decay_too_high");
  CHECK(penalty(0.05, 0.9, 5000) == "");
  CHECK(penalty(0.01, 0.9, 5000) == "");  // the default
}

TEST_CASE("the momentum of a batch norm is named when evaluation would use the last batch, or no batch at all") {
  const auto name = [](double momentum, std::int64_t steps) {
    return name_of(check_batch_norms(nn::Sequential{nn::BatchNorm1d{2, {.momentum = momentum}}}, steps));
  };
  CHECK(name(0.9, 500) == "batch_norm_momentum");
  CHECK(name(1e-6, 500) == "train_eval_gap");
  CHECK(name(1e-4, 100'000) == "");
  CHECK(name(0.1, 1) == "");
  CHECK(name(0.01, 500) == "");
}

TEST_CASE("a schedule that grows, ends early or warms up for too long is named") {
  const auto cosine = [](double lr, std::int64_t warmup, std::int64_t steps) {
    return optim::warmup_cosine({.peak = lr, .warmup_steps = warmup, .total_steps = steps});
  };
  CHECK(schedule_name([](auto step) { return 1e-3 * std::pow(1.01, step); }, 500) == "schedule_grows");
  CHECK(schedule_name([](auto step) { return 1e-3 * std::pow(0.9, step); }, 500) == "schedule_ends_early");
  CHECK(schedule_name(cosine(1e-3, 0, 10), 500) == "schedule_ends_early");
  const auto found =
      check_schedule(sampled_rates(cosine(1e-3, 0, 10), 500), {.steps = 500, .epochs = 10, .rows = 1, .lr = 1e-3});
  CHECK(contains(found->cause, "counts epochs"));
  CHECK(schedule_name(cosine(1e-3, 400, 500), 500) == "warmup_too_long");
  CHECK(schedule_name([](auto step) { return 1e-3 * std::pow(1.01, step); }, 200) == "schedule_grows");
  const auto by_epoch = [cosine](auto step) { return cosine(1e-3, 250, 500)(1 + step / 50); };
  const auto slow = check_schedule(sampled_rates(by_epoch, 500), {.steps = 500, .epochs = 10, .rows = 1, .lr = 1e-3});
  REQUIRE(slow);
  CHECK(slow->name == "lr_too_low");
  CHECK(contains(slow->cause, "number of the epoch"));
  const auto in_epoch = [cosine](auto step) { return cosine(1e-3, 600, 1000)(1 + step % 50); };
  const auto again = check_schedule(sampled_rates(in_epoch, 500), {.steps = 500, .epochs = 10, .rows = 1, .lr = 1e-3});
  REQUIRE(again);
  CHECK(again->name == "lr_too_low");
  CHECK(contains(again->cause, "begins again"));
  const auto late = [cosine](auto step) { return cosine(1e-3, 0, 12'500)(12'000 + step); };
  const auto finished = check_schedule(sampled_rates(late, 500), {.steps = 500, .epochs = 10, .rows = 1, .lr = 1e-3});
  REQUIRE(finished);
  CHECK(finished->name == "schedule_ends_early");
  CHECK(contains(finished->cause, "earlier run"));
}

TEST_CASE("usual schedules are silent") {
  for (const std::int64_t steps : {20, 500, 30'000}) {
    CAPTURE(steps);
    const auto n = static_cast<double>(steps);
    CHECK(schedule_name(optim::constant(1e-3), steps) == "");
    CHECK(schedule_name(optim::warmup_cosine({.peak = 1e-3, .warmup_steps = steps / 10, .total_steps = steps}),
                        steps) == "");
    CHECK(schedule_name(optim::warmup_linear({.peak = 1e-3, .total_steps = steps}), steps) == "");
    CHECK(schedule_name(
              [n](auto step) { return 1e-3 * std::pow(0.1, std::floor(4 * static_cast<double>(step) / (n + 1))); },
              steps) == "");
    CHECK(schedule_name([n](auto step) { return 1e-3 * std::pow(0.01, static_cast<double>(step) / n); }, steps) == "");
    CHECK(schedule_name(
              [n](auto step) {  // one cycle
                const double at = static_cast<double>(step) / n;
                return 1e-2 * (at < 0.4 ? 0.04 + 2.4 * at : 1.67 * (1 - at) + 1e-6);
              },
              steps, 10, 1e-2) == "");
    CHECK(schedule_name(  // warm restarts
              [n](auto step) { return 1e-3 * (1 - std::fmod(4 * static_cast<double>(step) / (n + 1), 1.0)); }, steps) ==
          "");
  }
}

TEST_CASE("few updates, limits and a missing validation set are named") {
  CHECK(name_of(check_steps({.steps = 50, .epochs = 50, .rows = 1000, .lr = 1})) == "too_few_steps");
  CHECK_FALSE(check_steps({.steps = 150, .epochs = 5, .rows = 1000, .lr = 1}));
  CHECK_FALSE(check_limits({.batches = 10}));
  CHECK_FALSE(check_limits({.batches = 10, .train_batches = 10}));
  CHECK(name_of(check_limits({.batches = 10, .train_batches = 2})) == "limited_run");
  CHECK(name_of(check_limits({.batches = 1, .overfit_batches = 1})) == "limited_run");
  CHECK(name_of(check_limits({.batches = 10, .fast_dev_run = true})) == "limited_run");
  CHECK(check_limits({.batches = 10, .validation_batches = 1})->severity == Severity::note);
  CHECK(check_validation({.steps = 100, .epochs = 100, .rows = 80, .lr = 1}, 500).severity == Severity::warning);
  CHECK(check_validation({.steps = 100, .epochs = 2, .rows = 80, .lr = 1}, 500).severity == Severity::note);
  check_headline(check_validation({.steps = 100, .epochs = 100, .rows = 80, .lr = 1}, 500));
}

TEST_CASE("a Trainer names its settings before the first step, unless checks.settings is off") {
  const auto names = [](TrainerOptions options) {
    nn::Sequential model = small_model();
    Trainer trainer(model, cross_entropy, quiet(std::move(options)));
    std::vector<std::string> found;
    for (const Anomaly& anomaly : trainer.fit(points(400)).anomalies) {
      if (anomaly.step > 0) continue;
      CHECK(anomaly.rank == Rank::setup);
      found.push_back(anomaly.name);
    }
    return found;
  };
  CHECK(names({.epochs = 15, .lr = 1e-3}) == Names{});
  CHECK(names({.epochs = 15, .lr = 1e-3, .limit_train_batches = 2}) == Names{"limited_run"});
  CHECK(names({.epochs = 2, .lr = 1e-3}) == Names{"too_few_steps"});
  CHECK(names({.epochs = 2, .lr = 1e-3, .checks = {.settings = off}}) == Names{});
  CHECK(names({.epochs = 15, .lr = 1e-3, .weight_decay = 20}).front() == "weight_decay_too_high");
}
