#include <doctest/doctest.h>

#include <algorithm>
#include <memory>

#include <handrail/train/checkpoints/checkpoint.h>
#include <handrail/train/exchange/weights.h>

#include "support/check_throws.h"
#include "support/files.h"
#include "support/hash.h"
#include "train/standardise/raw_data.h"

using namespace handrail;
using namespace raw_data;
using train::off;
using train::TrainerOptions;

TEST_CASE("scales are saved with the weights, and a fresh model gets them from the file") {
  const TempDir dir;
  const auto data = raw_values(1e5, 10);
  auto model = model_of(1);
  train::Trainer trainer(model, mse_loss, quiet({.epochs = 3}));
  trainer.fit(data);
  const auto wanted = values_of(trainer.predict(data));
  train::save_weights(model, dir.path() / "weights");
  trainer.save_model(dir.path() / "model");

  auto fresh = model_of(1, 2);
  train::load_weights(fresh, dir.path() / "weights");
  CHECK(values_of(fresh(data.inputs())) == wanted);
  auto other = model_of(1, 2);
  train::Trainer predictor(other, mse_loss, quiet({.epochs = 3}));
  predictor.load_model(dir.path() / "model");
  CHECK(values_of(predictor.predict(data)) == wanted);

  // As a part of another model, and robust ones too.
  nn::Sequential within;
  within.push_back(std::move(fresh));
  train::save_weights(within, dir.path() / "within");
  nn::Sequential within_again;
  within_again.push_back(model_of(1, 2));
  train::load_weights(within_again, dir.path() / "within");
  CHECK(values_of(within_again(data.inputs())) == wanted);
  model.set_input_scale(std::make_shared<const nn::Standardize>(nn::Standardize::fit(data.inputs(), {.robust = true})));
  train::save_weights(model, dir.path() / "robust");
  train::load_weights(other, dir.path() / "robust");
  CHECK(values_of(other(data.inputs())) == values_of(model(data.inputs())));

  // A file without scales takes them away; one that does not fit changes nothing.
  train::save_weights(model_of(1, 5), dir.path() / "plain");
  train::load_weights(other, dir.path() / "plain");
  CHECK_FALSE(other.input_scale());
  CHECK(hash_of(other) == hash_of(model_of(1, 5)));
  auto wider = model_of(2);
  check_throws<CheckpointError>([&] { train::load_weights(wider, dir.path() / "weights"); }, "'2.weight'");
  CHECK_FALSE(wider.input_scale());
  CHECK_FALSE(wider.output_scale());
}

TEST_CASE("a run with scales that is resumed in a fresh model ends with the same bits") {
  const auto data = raw_values(1e5, 10);
  const auto run = [&](const TempDir& dir, bool interrupt) {
    TrainerOptions options{.epochs = 4,
                           .accumulate_grad_batches = 2,
                           .checkpoints = train::CheckpointOptions{.dir = dir.path(), .name = "run"},
                           .sinks = {}};
    auto model = model_of(1);
    Hooked trainer(model, mse_loss, options);
    if (interrupt) trainer.step_end = [&](const auto& stats) { stats.step == 7 ? trainer.stop() : void(); };
    trainer.fit(data);
    if (!interrupt) return hash_of(model);
    auto fresh = model_of(1, 9);
    train::Trainer again(fresh, mse_loss, options);
    const auto result = again.resume(dir.path() / "run" / "1", data);
    CHECK(has_line(result, "inputs standardised"));
    CHECK(fresh.output_scale());
    return hash_of(fresh);
  };
  const TempDir whole, parts;
  CHECK(run(whole, false) == run(parts, true));
}

TEST_CASE("a model that has scales keeps them in the next fit") {
  const auto first = raw_values(1e5, 10), second = raw_values(500, 3);
  auto model = model_of(1);
  train::Trainer trainer(model, mse_loss, quiet({.epochs = 2}));
  trainer.fit(first);
  const auto input = model.input_scale(), output = model.output_scale();
  const auto result = trainer.fit(second);
  CHECK(model.input_scale() == input);
  CHECK(model.output_scale() == output);
  CHECK(has_line(result, "targets standardised"));
}

TEST_CASE("a model that was trained on raw data is not given other inputs") {
  const auto data = raw_values(1e5, 10);
  auto scaled = model_of(1);
  train::Trainer first(scaled, mse_loss, quiet({.epochs = 20}));
  first.fit(data);
  // The same function of raw inputs: the scales become a part of the weights.
  auto model = model_of(1);
  const auto from = scaled.parameters(), to = model.parameters();
  for (std::size_t p = 0; p < to.size(); ++p) std::ranges::copy(from[p].tensor.span(), to[p].tensor.mutable_data());
  const auto &in = *scaled.input_scale(), &out = *scaled.output_scale();
  for (Index j = 0; j < 4; ++j)
    for (Index k = 0; k < 16; ++k) {
      Scalar& weight = to[0].tensor.mutable_data()[16 * j + k];
      weight *= in.inverse.data()[j];
      to[1].tensor.mutable_data()[k] -= weight * in.mean.data()[j];
    }
  for (const std::size_t p : {2u, 3u})
    for (Scalar& value : to[p].tensor.mutable_span()) value /= out.inverse.data()[0];
  to[3].tensor.mutable_data()[0] += out.mean.data()[0];
  train::Trainer second(model, mse_loss, quiet({.epochs = 1}));
  REQUIRE(r2(second, data) > 0.9);
  const auto result = second.fit(data);
  CHECK_FALSE(model.input_scale());
  CHECK_FALSE(model.output_scale());
  CHECK(find_anomaly(result, "input_scale"));
}

TEST_CASE("folds and members of an ensemble have scales of their own, which a file of an ensemble keeps") {
  const auto data = raw_values(1e5, 10);
  const auto make = [](Rng& rng) { return nn::Sequential{nn::Linear{4, 16, rng}, nn::ReLU{}, nn::Linear{16, 1, rng}}; };
  const auto folds =
      train::cross_validate(make, mse_loss, quiet({.epochs = 20, .metrics = {train::R2{}}}), data, {.folds = 3});
  CHECK(folds.metric("r2").mean > 0.85);
  CHECK_FALSE(contains(folds.diagnosis_text(), "_scale"));
  const auto ensemble = train::fit_ensemble(make, mse_loss, quiet({.epochs = 20}), data, {.members = 2});
  const TempDir dir;
  ensemble.save(dir.path() / "ensemble");
  const auto loaded = train::load_ensemble(make, mse_loss, dir.path() / "ensemble");
  CHECK(values_of(loaded.predict(data)) == values_of(ensemble.predict(data)));
}

TEST_CASE("a repair begins without the scales of the fit before, and ends with those of the fit that is kept") {
  const auto raw = raw_classes();
  const auto data = with_inputs(raw, {3, 50, 80, 110, 140, 170, 200}, -99999);  // a finding that has fixes
  auto model = model_of(3);
  train::Trainer trainer(model, cross_entropy, quiet({.epochs = 5, .repair = 3}));
  const auto result = trainer.fit(data);
  CHECK_FALSE(result.repairs.empty());
  const bool has_layer = std::ranges::any_of(model.layers(), [](const auto& layer) { return layer->normalises(); });
  CHECK((model.input_scale() != nullptr) != has_layer);
  CHECK(trainer.evaluate(data).accuracy() > 0.6);
}

TEST_CASE("try_fix before a fit compares with scales as the next fit will have them, and leaves none") {
  const auto data = raw_classes();
  auto model = model_of(3);
  train::Trainer trainer(model, cross_entropy, quiet({.epochs = 20, .lr = 1e-4, .lr_scaling = train::LrScaling::none}));
  const auto before = trainer.try_fix(data, {train::fixes::higher_lr(100)}, {.steps = 60});
  CHECK(before.arms[0].train_before < 3);  // that of raw inputs is far above the ln 3 of a guess
  CHECK(before.kept == "lr*100");
  CHECK_FALSE(model.input_scale());
  trainer.fit(data);
  REQUIRE(model.input_scale());
  const auto after = trainer.try_fix(data, {train::fixes::standardize_inputs()}, {.steps = 20});
  CHECK(after.arms.size() == 2);
  CHECK((model.input_scale() != nullptr) == after.kept.empty());
}

TEST_CASE("a second fit on all rows has the scales of the first") {
  const auto data = raw_values(1e5, 10);
  auto model = model_of(1);
  train::Trainer trainer(model, mse_loss, {.epochs = 40, .refit = true, .checkpoints = off});
  const auto result = trainer.fit(data);
  REQUIRE(result.refit);
  CHECK(result.refit->kept);
  CHECK(result.refit->rows == 300);
  CHECK(model.input_scale());
  CHECK(model.output_scale());
  CHECK(r2(trainer, data) > 0.8);
}
