#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <memory>
#include <vector>

#include "support/check_throws.h"
#include "support/hash.h"
#include "support/tasks.h"
#include "support/tensors.h"

using namespace handrail;
using train::LrScaling;
using train::off;
using train::TrainerOptions;

namespace {

struct Run {
  train::FitResult result;
  std::vector<train::StepStats> steps = {};
  std::vector<Tensor> weights = {};
};

Run run(Index batch_size, Index accumulated, const train::TensorDataset& data) {
  auto model = small_model();
  const auto log = std::make_shared<train::MemorySink>();
  TrainerOptions options = bare({.epochs = 3,
                                 .batch_size = batch_size,
                                 .accumulate_grad_batches = accumulated,
                                 .optimizer = train::with<optim::SGD>({.momentum = 0.9}),
                                 .lr = 0.3,
                                 .lr_scaling = LrScaling::none,
                                 .validation_split = off});
  options.sinks = {log};
  train::Trainer trainer(model, cross_entropy, options);
  Run run{.result = trainer.fit(data)};
  run.steps = log->steps;
  for (const auto& p : model.parameters()) run.weights.push_back(p.tensor);
  return run;
}

}  // namespace

TEST_CASE(
    "accumulated batches give the update of one large batch, also in the last window and with a short last batch") {
  for (const Index rows : {160, 195}) {  // windows of 40; the last one is whole, or has 35 in batches of 10, 10, 10, 5
    const auto data = points(rows);
    const Run large = run(40, 1, data), small = run(10, 4, data), odd = run(8, 5, data);
    for (const Run& other : {small, odd}) {
      REQUIRE(other.steps.size() == large.steps.size());
      for (std::size_t i = 0; i < large.steps.size(); ++i) {
        CHECK(other.steps[i].step == large.steps[i].step);
        CHECK(other.steps[i].samples == large.steps[i].samples);
        CHECK(other.steps[i].loss == doctest::Approx(large.steps[i].loss).epsilon(1e-5));
        CHECK(other.steps[i].grad_norm == doctest::Approx(large.steps[i].grad_norm).epsilon(1e-4));
        CHECK(other.steps[i].lr == large.steps[i].lr);
      }
      for (std::size_t p = 0; p < large.weights.size(); ++p)
        for (Index j = 0; j < large.weights[p].size(); ++j)
          CHECK(std::abs(other.weights[p].data()[j] - large.weights[p].data()[j]) < 1e-5);
      CHECK(other.result.train_loss == doctest::Approx(large.result.train_loss).epsilon(1e-5));
    }
  }
}

TEST_CASE("the schedule, the logs and the planned steps count optimizer steps, micro_step counts batches") {
  const Run accumulated = run(10, 4, points(190));  // 19 batches: 4, 4, 4, 4 and 3
  CHECK(accumulated.result.steps == 15);
  REQUIRE(accumulated.steps.size() == 15);
  CHECK(accumulated.steps[0].lr == doctest::Approx(0.3));  // 5 % of 15 steps is one
  CHECK(accumulated.steps[14].lr < 0.01);
  CHECK(accumulated.steps[1].micro_step == 4);
  CHECK(accumulated.steps[5].micro_step == 19);
  CHECK(accumulated.steps[4].batch == 19);
  CHECK(accumulated.steps[4].samples == 30);
  CHECK(accumulated.steps[5].epoch == 2);
}

TEST_CASE("every batch of a window has a dropout mask of its own, and each run the same ones") {
  struct Recording : train::Trainer {
    using Trainer::Trainer;
    std::vector<Tensor> outputs;
    train::StepOutput training_step(const train::Batch& batch) override {
      train::StepOutput out = Trainer::training_step(batch);
      outputs.push_back(out.predictions.clone());
      return out;
    }
  };
  // All rows are the same and the rate is too small to matter: only the masks differ.
  const train::TensorDataset same(Tensor::ones({64, 2}), Tensor::zeros({64}));
  const auto outputs = [&] {
    Rng rng(1);
    nn::Sequential model{nn::Linear{2, 64, rng}, nn::Dropout{0.5}, nn::Linear{64, 2, rng}};
    Recording trainer(model, cross_entropy,
                      bare({.epochs = 2,
                            .batch_size = 8,
                            .accumulate_grad_batches = 4,
                            .lr = 1e-12,
                            .validation_split = off,
                            .guards = {.divergence = off, .slow_progress = off}}));
    trainer.fit(same);
    return trainer.outputs;
  };
  const auto first = outputs(), second = outputs();
  REQUIRE(first.size() == 16);
  for (std::size_t i = 0; i < first.size(); ++i) {
    CHECK(same_bits(first[i], second[i]));
    for (std::size_t j = 0; j < i; ++j) CHECK_FALSE(same_bits(first[i], first[j]));
  }
}

TEST_CASE("one batch that is not finite drops its whole window, and nothing of it stays") {
  NormModel model;
  Hooked trainer(model, cross_entropy,
                 bare({.epochs = 1,
                       .batch_size = 10,
                       .accumulate_grad_batches = 4,
                       .lr = 0.05,
                       .validation_split = off,
                       .seed = 5}));
  // Row 77 comes in one window of the five, behind good batches or before.
  std::uint64_t before = 0;
  int refused = 0;
  trainer.step_start = [&](std::int64_t) { before = hash_of(model); };
  trainer.step_end = [&](const train::StepStats& stats) {
    CHECK((hash_of(model) == before) == !stats.updated);
    if (stats.updated) return;
    ++refused;
    CHECK(std::isnan(stats.loss));
    CHECK(stats.samples == 40);
  };
  const auto result = trainer.fit(points_with(200, {77}, nan_value));
  CHECK(refused == 1);
  CHECK(result.skipped == 1);
  CHECK(result.steps == 4);
  CHECK(all_finite(model));
  CHECK(std::isfinite(result.train_loss));
  REQUIRE(find_anomaly(result, "non_finite"));
  CHECK(find_anomaly(result, "non_finite")->where == "row 77 of the training set");
}

TEST_CASE("a given rate is stated for 32 samples a step and scaled to batch size times accumulation") {
  const auto used = [](train::OptimizerFactory optimizer, Index batch_size, Index accumulated, LrScaling scaling) {
    auto model = small_model();
    train::Trainer trainer(model, cross_entropy,
                           bare({.epochs = 1,
                                 .batch_size = batch_size,
                                 .accumulate_grad_batches = accumulated,
                                 .optimizer = std::move(optimizer),
                                 .lr = 0.01,
                                 .lr_scaling = scaling}));
    return trainer.fit(points(300)).lr;
  };
  const auto sgd = train::with<optim::SGD>();
  CHECK(used({}, 32, 1, LrScaling::automatic) == 0.01);
  CHECK(used({}, 64, 2, LrScaling::automatic) == doctest::Approx(0.02));
  CHECK(used(sgd, 64, 2, LrScaling::automatic) == doctest::Approx(0.04));
  CHECK(used({}, 64, 2, LrScaling::linear) == doctest::Approx(0.04));
  CHECK(used(sgd, 64, 2, LrScaling::sqrt) == doctest::Approx(0.02));
  CHECK(used(sgd, 64, 2, LrScaling::none) == 0.01);
  CHECK(used({}, 8, 1, LrScaling::automatic) == doctest::Approx(0.005));

  // 270 samples to train on: a step cannot have more.
  constexpr Index huge = std::numeric_limits<Index>::max();
  const double whole = 0.01 * std::sqrt(270 / 32.0);
  CHECK(used({}, 4096, 1, LrScaling::automatic) == doctest::Approx(whole));
  CHECK(used({}, huge, 1, LrScaling::automatic) == doctest::Approx(whole));
  CHECK(used({}, huge, huge, LrScaling::automatic) == doctest::Approx(whole));
  CHECK(used({}, 32, huge, LrScaling::automatic) == doctest::Approx(whole));
  CHECK(used({}, 1, huge, LrScaling::linear) == doctest::Approx(0.01 * 270 / 32));
  CHECK(used({}, 269, 1, LrScaling::linear) == doctest::Approx(0.01 * 270 / 32));  // the last row joins the batch
}

TEST_CASE("limits of batches and steps may be as large as the type allows") {
  constexpr Index huge = std::numeric_limits<Index>::max();
  auto model = small_model();
  train::Trainer trainer(
      model, cross_entropy,
      bare({.epochs = 2, .batch_size = 64, .accumulate_grad_batches = huge, .lr = 0.01, .overfit_batches = huge}));
  const auto result = trainer.fit(points(300));
  CHECK(result.steps == 2);
  CHECK(result.lr == doctest::Approx(0.01 * std::sqrt(270 / 32.0)));
}

TEST_CASE("the pick of the LR finder is not scaled, and is made at the accumulated batch size") {
  auto model = small_model();
  train::Trainer trainer(model, cross_entropy, bare({.epochs = 20, .batch_size = 8, .accumulate_grad_batches = 2}));
  const auto alone = trainer.find_lr(points(400));
  const auto result = trainer.fit(points(400));
  REQUIRE(result.lr_finder);
  REQUIRE(result.lr_finder->suggestion);
  CHECK(result.lr == *result.lr_finder->suggestion);
  CHECK(alone.suggestion == result.lr_finder->suggestion);
  auto other = small_model();
  train::Trainer plain(other, cross_entropy, bare({.epochs = 20, .batch_size = 16}));
  CHECK(plain.find_lr(points(400)).initial_loss == doctest::Approx(alone.initial_loss).epsilon(1e-3));
}
