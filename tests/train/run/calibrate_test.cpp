#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "support/check_throws.h"
#include "support/files.h"
#include "support/hash.h"
#include "support/tasks.h"

using namespace handrail;
using train::off;
using train::Task;
using train::TrainerOptions;

namespace {

// Two classes in twenty columns, of which one tells the class, with every fourth label wrong. A model that memorises
// such rows is far too sure.
train::TensorDataset noisy_rows(Index count, std::uint64_t seed = 1) {
  Rng rng(seed);
  const Tensor inputs = normal({count, 20}, 0, 1, rng), targets(Shape{count});
  for (Index i = 0; i < count; ++i) {
    const bool is_wrong = i % 4 == 0;
    targets.mutable_data()[i] = (inputs.at({i, 0}) > 0) != is_wrong ? 1 : 0;
  }
  return {inputs, targets};
}

nn::Sequential wide_model(Index outputs = 2, std::uint64_t seed = 1) {
  Rng rng(seed);
  return nn::Sequential{nn::Linear{20, 32, rng}, nn::ReLU{}, nn::Linear{32, outputs, rng}};
}

TrainerOptions sure() {
  TrainerOptions o = bare({.epochs = 60});
  o.lr = 3e-2;
  o.validation_split = 0.4;
  o.patience = off;
  o.restore_best = false;
  return o;
}

TrainerOptions calibrated() {
  TrainerOptions o = sure();
  o.calibrate = true;
  return o;
}

// The last linear layer is not the last layer.
struct Normed : nn::Layer {
  explicit Normed(Rng rng)
      : in(add("in", nn::Linear{20, 16, rng})),
        out(add("out", nn::Linear{16, 2, rng})),
        norm(add("norm", nn::LayerNorm{2})) {}
  Tensor forward(const Tensor& x) const override { return norm(out(relu(in(x)))) * 40; }
  nn::Linear &in, &out;
  nn::LayerNorm& norm;
};

}  // namespace

TEST_CASE("calibrate divides the outputs by a temperature that lowers loss and calibration error") {
  auto model = wide_model(), plain = wide_model();
  train::Trainer trainer(model, cross_entropy, calibrated()), without(plain, cross_entropy, sure());
  const auto result = trainer.fit(noisy_rows(500));
  CHECK_FALSE(without.fit(noisy_rows(500)).calibration);
  REQUIRE(result.calibration);
  const train::Calibration& c = *result.calibration;
  CHECK(c.kept);
  CHECK(c.reason.empty());
  CHECK(c.rows == 200);
  CHECK(c.temperature > 1.05);
  CHECK(c.loss_after < c.loss_before);
  CHECK(c.error_after < c.error_before);
  // On other rows too.
  const auto test = noisy_rows(2000, 9);
  CHECK(trainer.evaluate(test).loss < without.evaluate(test).loss);
  CHECK(trainer.evaluate(test).calibration_error() < without.evaluate(test).calibration_error());

  // The model itself is divided: predict, the model called alone and the file agree, and no class changes.
  const Tensor before = without.predict(test), after = trainer.predict(test), called = model(test.inputs());
  for (Index i = 0; i < before.size(); ++i) {
    CHECK(after.data()[i] == doctest::Approx(static_cast<double>(before.data()[i]) / c.temperature).epsilon(1e-3));
    CHECK(called.data()[i] == doctest::Approx(static_cast<double>(after.data()[i])).epsilon(1e-5));
  }
  CHECK(train::argmax(after) == train::argmax(before));
  const TempDir dir;
  trainer.save_model(dir.path() / "model.hrm");
  auto fresh = wide_model(2, 7);
  train::Trainer loaded(fresh, cross_entropy, sure());
  loaded.load_model(dir.path() / "model.hrm");
  CHECK(hash_of(fresh) == hash_of(model));
}

TEST_CASE("a binary classifier is calibrated too") {
  const auto data = noisy_rows(500);
  const train::TensorDataset binary{data.inputs(), reshape(data.targets(), {500, 1})};
  auto model = wide_model(1);
  train::Trainer trainer(model, binary_cross_entropy_with_logits, calibrated());
  const auto result = trainer.fit(binary);
  REQUIRE(result.calibration);
  CHECK(result.calibration->kept);
  CHECK(result.calibration->loss_after < result.calibration->loss_before);
}

TEST_CASE("without a temperature that differs significantly from 1 the model keeps its bits") {
  TrainerOptions o = calibrated();
  o.epochs = 4;
  o.lr = 5e-3;
  auto model = wide_model(), plain = wide_model();
  train::Trainer trainer(model, cross_entropy, o);
  const auto result = trainer.fit(noisy_rows(60));
  REQUIRE(result.calibration);
  CHECK_FALSE(result.calibration->kept);
  CHECK(result.calibration->reason == "the temperature does not differ significantly from 1");
  o.calibrate = false;
  train::Trainer without(plain, cross_entropy, o);
  without.fit(noisy_rows(60));
  CHECK(hash_of(model) == hash_of(plain));
}

TEST_CASE("a model that does not end in a linear layer keeps its weights, with the reason") {
  Normed model(Rng(1)), plain(Rng(1));
  model.norm.freeze();
  plain.norm.freeze();
  train::Trainer trainer(model, cross_entropy, calibrated()), without(plain, cross_entropy, sure());
  const auto result = trainer.fit(noisy_rows(500));
  without.fit(noisy_rows(500));
  REQUIRE(result.calibration);
  CHECK_FALSE(result.calibration->kept);
  CHECK(result.calibration->reason == "the outputs are not those of the last nn::Linear of the model");
  CHECK(result.calibration->error_after == result.calibration->error_before);
  CHECK(hash_of(model) == hash_of(plain));
}

TEST_CASE("calibrate says why it does nothing for a regression and without validation rows") {
  TrainerOptions o = calibrated();
  o.validation_split = off;
  auto model = small_model();
  train::Trainer trainer(model, cross_entropy, o);
  CHECK(trainer.fit(points(40)).calibration->reason == "there are no validation rows");
  Rng rng(1);
  nn::Sequential line{nn::Linear{2, 1, rng}};
  train::Trainer regression(line, mse_loss, calibrated());
  const auto data = points(40);
  CHECK(regression.fit(train::TensorDataset{data.inputs(), reshape(data.targets(), {40, 1})}).calibration->reason ==
        "a regression has no probabilities");
}

TEST_CASE("the second fit of refit gets the temperature of the first") {
  TrainerOptions o = calibrated();
  o.refit = true;
  auto model = wide_model(), plain = wide_model();
  train::Trainer trainer(model, cross_entropy, o);
  const auto result = trainer.fit(noisy_rows(500));
  REQUIRE(result.refit->kept);
  REQUIRE(result.calibration->kept);
  o.calibrate = false;
  train::Trainer without(plain, cross_entropy, o);
  without.fit(noisy_rows(500));
  const Tensor inputs = noisy_rows(20, 5).inputs(), after = model(inputs), before = plain(inputs);
  for (Index i = 0; i < after.size(); ++i)
    CHECK(after.data()[i] ==
          doctest::Approx(static_cast<double>(before.data()[i]) / result.calibration->temperature).epsilon(1e-3));
}

TEST_CASE("evaluations of classifiers have a calibration error, and others say why not") {
  auto model = small_model();
  train::Trainer trainer(model, cross_entropy, bare({.epochs = 1}));
  const double error = trainer.evaluate(points(100)).calibration_error();
  CHECK(error > 0);
  CHECK(error < 1);
  Rng rng(1);
  nn::Sequential line{nn::Linear{2, 1, rng}};
  train::Trainer regression(line, mse_loss, bare({.epochs = 1}));
  const auto data = points(40);
  check_throws<MetricError>(
      [&] {
        regression.evaluate(train::TensorDataset{data.inputs(), reshape(data.targets(), {40, 1})}).calibration_error();
      },
      "want a calibration error; there is loss");
}
