#include <doctest/doctest.h>

#include <cmath>
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

// Keeps the inputs of every training batch.
struct Recording : Hooked {
  using Hooked::Hooked;
  std::vector<Tensor> inputs, outputs;
  int throw_at = -1;
  train::StepOutput training_step(const train::Batch& batch) override {
    if (static_cast<int>(inputs.size()) == throw_at) throw std::runtime_error("mine");
    inputs.push_back(batch.inputs.clone());
    train::StepOutput out = Hooked::training_step(batch);
    outputs.push_back(out.predictions.clone());
    return out;
  }
  train::StepOutput validation_step(const train::Batch& batch) override { return Hooked::training_step(batch); }
};

TrainerOptions too_slow() { return bare({.epochs = 40, .lr = 1e-6, .guards = {.divergence = off}}); }

}  // namespace

TEST_CASE("a fix is kept only when it helps, and the model is unchanged") {
  NormModel model;
  train::Trainer trainer(model, cross_entropy, too_slow());
  const auto before = hash_of(model);
  const auto result =
      trainer.try_fix(points(400), {fixes::higher_lr(1e4), fixes::higher_lr(1.01), fixes::clip_norm(1e-3)});
  CHECK(hash_of(model) == before);
  CHECK(result.kept == "lr*10000");
  CHECK(*trainer.options().lr == doctest::Approx(1e-2));
  CHECK(*trainer.options().clip_norm == 1.0);
  REQUIRE(result.arms.size() == 4);
  CHECK(result.arms[0].name == "unchanged");
  CHECK(result.arms[1].name == "lr*10000");
  for (const auto& arm : result.arms) {
    CHECK(arm.finite);
    CHECK(arm.train_before == result.arms[0].train_before);
    CHECK(arm.validation_before == result.arms[0].validation_before);
    CHECK(arm.difference_low <= arm.difference);
    CHECK(arm.difference <= arm.difference_high);
  }
  CHECK(result.arms[1].validation_after < 0.5 * result.arms[1].validation_before);
  CHECK(result.arms[1].train_after < 0.5 * result.arms[1].train_before);
  CHECK(result.arms[1].difference_high < 0);
  CHECK(result.arms[1].difference ==
        doctest::Approx(result.arms[1].validation_after - result.arms[0].validation_after).epsilon(0.05));
  CHECK(contains(result.text(), "unchanged"));
  CHECK(contains(result.text(), "kept: lr*10000"));
}

TEST_CASE("the table of a comparison is aligned and shows small losses") {
  const train::TryFixResult result{.arms = {{.name = "lr/10",
                                             .train_before = 1.5e-6,
                                             .train_after = 0.25,
                                             .validation_before = 1234,
                                             .validation_after = 3.25e-7,
                                             .difference = -2e-8,
                                             .difference_low = -3e-8,
                                             .difference_high = 0.5}},
                                   .kept = {}};
  CHECK(result.text() ==
        "arm              train before  after     validation before  after     difference (95 % interval)\n"
        "lr/10               1.500e-06  0.2500                 1234  3.250e-07 -2.000e-08 (-3.000e-08 to +0.5000)\n"
        "no fix is a statistically significant improvement: the options are unchanged\n");
}

TEST_CASE("when no fix is significantly better the options stay as they are") {
  NormModel model;
  train::Trainer trainer(model, cross_entropy, bare({.epochs = 40, .lr = 0.01}));
  const auto result = trainer.try_fix(points(400), {fixes::lower_lr(1000), fixes::weight_decay(0.011)});
  CHECK(result.kept.empty());
  CHECK(*trainer.options().lr == 0.01);
  CHECK(*trainer.options().weight_decay == 0.01);
  CHECK(trainer.options().lr_scaling == train::LrScaling::automatic);
  CHECK(result.arms[1].difference > 0);
  CHECK(contains(result.text(), "the options are unchanged"));
}

TEST_CASE("a fix is only measured when it is not to be kept") {
  NormModel model;
  train::Trainer trainer(model, cross_entropy, too_slow());
  const auto result = trainer.try_fix(points(400), {fixes::higher_lr(1e4)}, {.keep = off});
  CHECK(result.kept.empty());
  CHECK(*trainer.options().lr == 1e-6);
  CHECK(result.arms[1].difference_high < 0);
}

TEST_CASE("all arms see the same batches and masks, from the last good state of the run before") {
  NormModel model;
  Recording trainer(model, cross_entropy, bare({.epochs = 4, .lr = 0.01, .guards = {.divergence = off}}));
  trainer.step_end = [&](const train::StepStats& stats) {
    if (stats.step == 20) trainer.stop();
  };
  trainer.fit(points(400));
  const auto before = hash_of(model);
  trainer.inputs.clear();
  trainer.outputs.clear();
  const auto result =
      trainer.try_fix(points(400), {fixes::clip_norm(0.5), fixes::lower_lr()}, {.steps = 15, .keep = off});
  CHECK(hash_of(model) == before);
  REQUIRE(trainer.inputs.size() == 45);
  for (std::size_t i = 0; i < 15; ++i)
    for (const std::size_t arm : {std::size_t{1}, std::size_t{2}})
      CHECK(same_bits(trainer.inputs[i], trainer.inputs[i + 15 * arm]));
  // They are those that the run would have gone on with.
  NormModel other;
  Recording whole(other, cross_entropy, bare({.epochs = 4, .lr = 0.01, .guards = {.divergence = off}}));
  whole.fit(points(400));
  for (std::size_t i = 0; i < 15; ++i) CHECK(same_bits(trainer.inputs[i], whole.inputs[20 + i]));
  CHECK(same_bits(trainer.outputs[0], whole.outputs[20]));
  // The first step of each arm is the same, masks and weights too.
  CHECK(same_bits(trainer.outputs[0], trainer.outputs[15]));
  CHECK(same_bits(trainer.outputs[0], trainer.outputs[30]));
  CHECK_FALSE(same_bits(trainer.outputs[14], trainer.outputs[44]));

  // Once more comes to the same figures.
  auto again = trainer.try_fix(points(400), {fixes::clip_norm(0.5), fixes::lower_lr()}, {.steps = 15, .keep = off});
  for (std::size_t arm = 0; arm < 3; ++arm)
    CHECK(again.arms[arm].validation_after == result.arms[arm].validation_after);
}

TEST_CASE("after a whole run the arms have a schedule of their own, all the same one") {
  struct Planned : train::Trainer {
    using Trainer::Trainer;
    std::vector<std::int64_t> planned;
    optim::Schedule configure_schedule(double lr, std::int64_t steps) override {
      planned.push_back(steps);
      return Trainer::configure_schedule(lr, steps);
    }
  };
  NormModel model;
  Planned trainer(model, cross_entropy, bare({.epochs = 4, .lr = 0.01}));
  trainer.fit(points(400));
  CHECK(trainer.planned == std::vector<std::int64_t>{48});
  trainer.planned.clear();
  const auto same = train::Fix{"nothing", [](TrainerOptions&) {}};
  const auto result = trainer.try_fix(points(400), {same, fixes::batch_size(16), fixes::longer_warmup()});
  CHECK(trainer.planned == std::vector<std::int64_t>{100, 100, 100, 100});
  CHECK(result.arms[1].validation_after == result.arms[0].validation_after);
  CHECK(result.arms[1].train_after == result.arms[0].train_after);
  CHECK(result.arms[1].difference == 0);
  CHECK(result.arms[2].validation_after != result.arms[0].validation_after);
  CHECK(result.arms[3].validation_after != result.arms[0].validation_after);
}

TEST_CASE("a fix does not see what the fix before it has changed") {
  auto model = small_model();
  train::Trainer trainer(model, cross_entropy, bare({.epochs = 20, .lr = 0.01}));
  int seen = 0;
  const train::Fix look{"look", [&](TrainerOptions& o) {
                          ++seen;
                          CHECK(*o.clip_norm == 1.0);
                          CHECK(*o.weight_decay == 0.01);
                          CHECK(*o.lr == 0.01);
                        }};
  trainer.try_fix(points(400), {fixes::clip_norm(0.5), look, fixes::higher_lr(), look}, {.steps = 3});
  CHECK(seen == 2);
}

TEST_CASE("the rate in use is the one the finder picked, or the one given as it was scaled") {
  std::vector<double> seen;
  const auto look = train::Fix{"look", [&](TrainerOptions& o) { seen.push_back(*o.lr); }};
  auto model = small_model();
  train::Trainer by_finder(model, cross_entropy, bare({.epochs = 20}));
  const auto found = by_finder.find_lr(points(400));
  by_finder.try_fix(points(400), {look}, {.steps = 5});
  REQUIRE(found.suggestion);
  CHECK(seen.at(0) == *found.suggestion);
  train::Trainer scaled(model, cross_entropy, bare({.epochs = 20, .batch_size = 128, .lr = 0.01}));
  scaled.try_fix(points(400), {look}, {.steps = 5});
  CHECK(seen.at(1) == doctest::Approx(0.02));
  CHECK(scaled.options().lr == 0.01);
}

TEST_CASE("another optimizer is a fix too, and the training goes on with what was kept") {
  NormModel model;
  train::Trainer trainer(
      model, cross_entropy,
      bare({.epochs = 10, .optimizer = train::with<optim::SGD>(), .lr = 1e-5, .guards = {.divergence = off}}));
  trainer.fit(points(400));
  const train::Fix adam{"AdamW", [](TrainerOptions& o) { o.optimizer = {}, o.lr = 0.01; }};
  const auto result = trainer.try_fix(points(400), {adam});
  CHECK(result.kept == "AdamW");
  const auto fitted = trainer.fit(points(400));
  CHECK(fitted.lr == 0.01);
  CHECK(fitted.validation->loss < 0.3);
}

TEST_CASE("an arm with losses that are not finite is worse than any other, and a fix of that is better") {
  NormModel model;
  // Clipping is what keeps these steps bounded.
  const auto loss = [](const Tensor& y, const Tensor& t) { return cross_entropy(y, t) * 1e4; };
  train::Trainer trainer(model, train::Loss(loss, train::Task::multiclass),
                         bare({.epochs = 10,
                               .optimizer = train::with<optim::SGD>({.momentum = 0.9}),
                               .lr = 0.05,
                               .clip_norm = off,
                               .guards = {.divergence = off}}));
  const auto result = trainer.try_fix(points(400), {fixes::clip_norm(1)}, {.steps = 40});
  CHECK(result.kept == "clip 1");
  CHECK(*trainer.options().clip_norm == 1.0);
  CHECK(all_finite(model));
}

TEST_CASE("a fix with refused steps is not kept, however much better it is") {
  auto model = small_model(3);
  train::Trainer trainer(model, cross_entropy, bare({.epochs = 10, .lr = 1e4}));
  const auto result = trainer.try_fix(points(400), {fixes::lower_lr(2)}, {.steps = 40});
  REQUIRE(result.arms.size() == 2);
  CHECK_FALSE(result.arms[1].finite);
  CHECK(result.kept.empty());
}

TEST_CASE("after a fit that failed, a fix is tried from the weights before it, and the next fit begins with them") {
  const TrainerOptions options = bare({.epochs = 20, .optimizer = train::with<optim::SGD>(), .lr = 1e3});
  auto model = small_model(3), fresh = small_model(3);
  const auto initial = hash_of(model);
  train::Trainer trainer(model, cross_entropy, options), untrained(fresh, cross_entropy, options);
  const auto failed = trainer.fit(points(400));
  REQUIRE(failed.rollbacks > 0);
  const auto left = hash_of(model);
  REQUIRE(left != initial);

  const auto want = untrained.try_fix(points(400), {fixes::lower_lr(1e4)}, {.keep = off});
  const auto measured = trainer.try_fix(points(400), {fixes::lower_lr(1e4)}, {.keep = off});
  CHECK(measured.restarted);
  CHECK_FALSE(want.restarted);
  CHECK(measured.arms[1].validation_before == want.arms[1].validation_before);
  CHECK(measured.arms[1].validation_after == want.arms[1].validation_after);
  CHECK(hash_of(model) == left);  // nothing was kept
  CHECK(trainer.try_fix(points(400), {fixes::higher_lr(1.5)}).kept.empty());
  CHECK(hash_of(model) == left);

  const auto result = trainer.try_fix(points(400), {fixes::lower_lr(1e4)});
  CHECK(result.kept == "lr/10000");
  CHECK(hash_of(model) == initial);
  CHECK(contains(result.text(), "began with the weights from before the last fit"));
  CHECK(contains(result.text(), "kept: lr/10000, and the model has these weights"));
  CHECK(trainer.fit(points(400)).validation->loss < 0.3);
}

TEST_CASE("after a fit that went well, the arms begin with its last good state and the model stays as it is") {
  auto model = small_model();
  train::Trainer trainer(model, cross_entropy, bare({.epochs = 3, .lr = 1e-3}));
  const auto fitted = trainer.fit(points(400));
  const auto before = hash_of(model);
  const auto result = trainer.try_fix(points(400), {fixes::higher_lr()});
  CHECK_FALSE(result.restarted);
  CHECK(result.kept == "lr*10");
  CHECK(result.arms[0].validation_before == doctest::Approx(fitted.validation->loss));
  CHECK(hash_of(model) == before);
}

TEST_CASE("a fix gives the rate back to the finder, and its arm has the rate that the finder picks") {
  NormModel model;
  train::Trainer trainer(model, cross_entropy, too_slow());
  const auto result = trainer.try_fix(points(400), {fixes::higher_lr(2), fixes::find_lr()});
  CHECK(result.kept == "find_lr");
  CHECK(result.arms[2].validation_after < 0.5 * result.arms[0].validation_after);
  CHECK_FALSE(trainer.options().lr);
  CHECK(trainer.options().lr_scaling == train::LrScaling::automatic);
  const auto found = trainer.find_lr(points(400));
  REQUIRE(found.suggestion);
  const auto fitted = trainer.fit(points(400));
  CHECK(fitted.lr == *found.suggestion);
  CHECK(fitted.validation->loss < 0.3);
}

TEST_CASE("with verify_fixes off the first fix is kept unmeasured") {
  auto model = small_model();
  train::Trainer trainer(model, cross_entropy, bare({.epochs = 10, .lr = 0.01, .verify_fixes = off}));
  const auto result = trainer.try_fix(points(400), {fixes::lower_lr(), fixes::clip_norm(0.1)});
  CHECK(result.arms.empty());
  CHECK(result.kept == "lr/10");
  CHECK(*trainer.options().lr == doctest::Approx(0.001));
}

TEST_CASE("an exception leaves options and model as they were") {
  for (const int at : {3, 60}) {
    NormModel model;
    Recording trainer(model, cross_entropy, too_slow());
    const auto before = hash_of(model);
    trainer.throw_at = at;
    CHECK_THROWS_WITH(trainer.try_fix(points(400), {fixes::higher_lr(1e4)}, {.steps = 40}), "mine");
    CHECK(hash_of(model) == before);
    CHECK(*trainer.options().lr == 1e-6);
    CHECK(trainer.options().lr_scaling == train::LrScaling::automatic);
  }
  auto model = small_model();
  const auto before = hash_of(model);
  train::Trainer trainer(model, cross_entropy, too_slow());
  check_throws<OptionError>([&] { trainer.try_fix(points(400), {fixes::batch_size(0)}); }, "batch_size >= 1");
  check_throws<OptionError>([&] { trainer.try_fix(points(400), {}, {.steps = 0}); }, "steps >= 1; got 0");
  CHECK(trainer.options().batch_size == 32);
  CHECK(hash_of(model) == before);
  train::Trainer blind(model, cross_entropy, bare({.epochs = 2, .validation_split = off}));
  check_throws<OptionError>([&] { blind.try_fix(points(400), {fixes::lower_lr()}); }, "validation");
}
