#include <doctest/doctest.h>

#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <handrail/train/checks/internal/settings_checks.h>

#include "support/guard_runs.h"
#include "support/tasks.h"

using namespace handrail;
using namespace handrail::train;

namespace {

std::string name_of(const std::optional<Anomaly>& anomaly) {
  if (!anomaly) return "";
  check_headline(*anomaly);
  CHECK_FALSE(anomaly->cause.empty());
  return anomaly->name;
}

std::string schedule_name(const optim::Schedule& schedule, std::int64_t steps, Index epochs = 10, double lr = 1e-3) {
  return name_of(
      check_schedule(sampled_rates(schedule, steps), {.steps = steps, .epochs = epochs, .rows = 800, .lr = lr}));
}

template <class O>
std::vector<std::string> numbers_of(typename O::Options options) {
  nn::Sequential model = small_model();
  const O optimizer(optim::decay_groups(model.parameters(), 0), options);
  std::vector<std::string> names;
  for (const Anomaly& anomaly : check_hyperparameters(optimizer)) names.push_back(name_of(anomaly));
  return names;
}

using Names = std::vector<std::string>;

std::optional<Anomaly> trained(const nn::Module& model, const std::vector<optim::ParamGroup>& groups,
                               bool loaded = true) {
  return check_trained(trained_parameters(model.parameters(), groups), loaded);
}

}  // namespace

TEST_CASE("parameters that the optimizer has not are a warning with their share of the weights") {
  nn::Sequential model = small_model(), other = small_model(2);
  const auto all = model.parameters();
  CHECK(name_of(trained(model, optim::decay_groups(all, 0.01))) == "");
  const auto part = trained(model, {{.name = "some", .params = {all[0], all[1]}}});
  CHECK(name_of(part) == "not_trained");
  CHECK(part->severity == Severity::warning);
  CHECK(contains(part->where, "'2.weight', '2.bias'"));
  CHECK(contains(part->evidence, "41.5 %"));
  const auto foreign = trained(model, optim::decay_groups(other.parameters(), 0));
  CHECK(name_of(foreign) == "not_trained");
  CHECK(contains(foreign->evidence, "4 of its tensors are not in the model"));
}

TEST_CASE("frozen parameters are a note, and a warning when most weights are frozen as they were drawn") {
  nn::Sequential model = small_model();
  const auto groups = optim::decay_groups(model.parameters(), 0);
  model.freeze("2");
  CHECK_FALSE(are_loaded(model.parameters()));
  CHECK(trained(model, groups, false)->severity == Severity::note);
  model.unfreeze();
  model.freeze("0");
  CHECK(trained(model, groups, false)->severity == Severity::warning);
  CHECK(trained(model, groups, true)->severity == Severity::note);
  for (const Parameter& p : model.parameters()) p.tensor.mutable_data();  // as load_model writes
  CHECK(are_loaded(model.parameters()));
}

TEST_CASE("a group with lr_scale 0 counts as frozen") {
  nn::Sequential model = small_model();
  const auto all = model.parameters();
  const auto found = trained(model, {{.name = "still", .params = {all[0], all[1]}, .lr_scale = 0},
                                     {.name = "moves", .params = {all[2], all[3]}}});
  CHECK(name_of(found) == "not_trained");
  CHECK(found->severity == Severity::note);
  CHECK(contains(found->evidence, "frozen: 58.5 %"));
}

TEST_CASE("unusual numbers of an optimizer are named, and usual ones are not") {
  CHECK(numbers_of<optim::SGD>({.momentum = 0.99}) == Names{});
  CHECK(numbers_of<optim::SGD>({.momentum = 0.995}) == Names{"momentum_too_high"});
  CHECK(numbers_of<optim::AdamW>({}) == Names{});
  CHECK(numbers_of<optim::Adam>({.beta1 = 0.5, .beta2 = 0.9}) == Names{});
  CHECK(numbers_of<optim::AdamW>({.beta1 = 0.95, .beta2 = 0.98, .eps = 1e-6}) == Names{});
  CHECK(numbers_of<optim::AdamW>({.beta1 = 0.999, .beta2 = 0.9}) == Names{"adam_betas"});
  CHECK(numbers_of<optim::AdamW>({.beta1 = 0.999, .beta2 = 0.9999}) == Names{"adam_betas"});
  CHECK(numbers_of<optim::AdamW>({.beta1 = 0.5, .beta2 = 0.5}) == Names{"adam_betas"});
  CHECK(numbers_of<optim::AdamW>({.eps = 0.1}) == Names{"adam_eps"});
}

TEST_CASE("weight decay is judged by what it takes off the weights") {
  const auto decay = [](double weight_decay, double lr, std::int64_t steps) {
    const std::vector<optim::ParamGroup> groups{{.name = "decay", .params = {}, .weight_decay = weight_decay}};
    return check_weight_decay(groups, sampled_rates(optim::constant(lr), steps), steps);
  };
  CHECK(name_of(decay(10, 1e-3, 500)) == "weight_decay_too_high");
  CHECK(decay(10, 1e-3, 500)->severity == Severity::warning);
  CHECK(decay(0.01, 0.5, 500)->severity == Severity::note);  // the default, at a high rate
  CHECK(name_of(decay(10, 1e-3, 5)) == "");
  CHECK(name_of(decay(0.1, 3e-3, 100'000)) == "");
  CHECK(name_of(decay(0, 1, 500)) == "");
}

TEST_CASE("a tiny clip_norm is a warning for SGD and a note for Adam, which undoes it") {
  nn::Sequential model = small_model();
  const auto groups = optim::decay_groups(model.parameters(), 0);
  const optim::SGD sgd(groups);
  const optim::AdamW adam(groups);
  CHECK(name_of(check_clip(1e-4, sgd, 82)) == "clip_too_small");
  CHECK(check_clip(1e-4, sgd, 82)->severity == Severity::warning);
  CHECK(check_clip(1e-4, adam, 82)->severity == Severity::note);
  CHECK(check_clip(1e-8, adam, 82)->severity == Severity::warning);
  CHECK_FALSE(check_clip(1e-2, sgd, 82));
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
