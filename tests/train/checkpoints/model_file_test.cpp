#include <cmath>
#include <string>

#include <doctest/doctest.h>

#include <handrail/handrail.h>

#include "support/check_throws.h"
#include "support/files.h"
#include "support/hash.h"
#include "support/tasks.h"
#include "support/tensors.h"

using namespace handrail;
using train::TrainerOptions;

namespace {

// Bytes whose mean is far from half and whose class is whether the first is the larger one.
train::ByteDataset byte_points(Index count, std::uint64_t seed = 1) {
  Rng rng(seed);
  std::vector<std::uint8_t> inputs, labels;
  for (Index i = 0; i < count; ++i) {
    const auto x = static_cast<std::uint8_t>(rng.below(40)), y = static_cast<std::uint8_t>(rng.below(40));
    inputs.insert(inputs.end(), {x, y});
    labels.push_back(x > y ? 1 : 0);
  }
  return {{2}, std::move(inputs), std::move(labels)};
}

const TrainerOptions two_epochs = quiet({.epochs = 2, .lr = 0.02, .class_names = {"below", "above"}});

}  // namespace

TEST_CASE("a saved model predicts the same bits in another trainer, from bytes too") {
  const TempDir dir;
  const auto data = byte_points(300), test = byte_points(100, 2);
  auto model = small_model();
  train::Trainer trainer(model, cross_entropy, two_epochs);
  trainer.fit(data);
  trainer.save_model(dir.path() / "model.hrm");

  auto other = small_model(7);
  train::Trainer loaded(other, cross_entropy, quiet({.epochs = 1}));
  loaded.load_model(dir.path() / "model.hrm");
  CHECK(hash_of(other) == hash_of(model));
  CHECK(same_bits(loaded.predict(test), trainer.predict(test)));
  CHECK(loaded.evaluate(test).loss == trainer.evaluate(test).loss);

  const train::ModelInfo& info = loaded.model_info();
  CHECK(info.task == train::Task::multiclass);
  CHECK(info.input_shape == Shape{2});
  CHECK(info.target_shape == Shape{});
  CHECK(info.class_names == std::vector<std::string>{"below", "above"});
  REQUIRE(info.normalization);
  CHECK(info.normalization->mean == trainer.model_info().normalization->mean);
}

TEST_CASE("raw data is refused without the constants of the training, and not read as byte / 255") {
  const TempDir dir;
  const auto data = byte_points(300);
  auto model = small_model();
  train::Trainer trainer(model, cross_entropy, two_epochs);
  trainer.fit(data);
  train::save_weights(model, dir.path() / "weights.hrc");

  auto other = small_model(7);
  train::Trainer loaded(other, cross_entropy, quiet({.epochs = 1}));
  train::load_weights(other, dir.path() / "weights.hrc");
  check_throws<OptionError>([&] { loaded.evaluate(data); }, "evaluate: want the normalization", "load_model()");
  check_throws<OptionError>([&] { loaded.predict(data); }, "predict: want the normalization", "byte / 255");
  check_throws<CheckpointError>([&] { loaded.load_model(dir.path() / "weights.hrc"); }, "has no section 'model'",
                                "load_weights");
  // A model that was trained on floats knows of no constants either.
  loaded.fit(points(100));
  check_throws<OptionError>([&] { loaded.evaluate(data); }, "as the data set is raw");

  train::Trainer told(other, cross_entropy, quiet({.epochs = 1, .normalization = train::Normalization{}}));
  CHECK(std::isfinite(told.evaluate(data).loss));
}

TEST_CASE("load_model reads from a checkpoint the weights of its best evaluation") {
  const TempDir dir;
  const auto data = coin_flips(200), validation = coin_flips(100, 2);
  auto model = small_model();
  TrainerOptions options =
      quiet({.epochs = 30, .lr = 0.05, .patience = train::off, .improvement = train::Improvement::plain});
  options.checkpoints = train::CheckpointOptions{.dir = dir.path(), .name = "run", .every_n_steps = 7};
  train::Trainer trainer(model, cross_entropy, options);
  const auto result = trainer.fit(data, validation);
  REQUIRE(result.best);
  REQUIRE(result.best->epoch < 30);

  auto best = small_model(7), last = small_model(7);
  train::Trainer loaded(best, cross_entropy, quiet({.epochs = 1}));
  loaded.load_model(result.checkpoint);
  CHECK(hash_of(best) == hash_of(model));
  CHECK(loaded.evaluate(validation).loss == doctest::Approx(result.best->evaluation.loss));
  train::load_weights(last, result.checkpoint);
  CHECK(hash_of(last) != hash_of(model));
}

TEST_CASE("a model of another task, of other shapes, or a damaged file is refused, and nothing has changed") {
  const TempDir dir;
  auto model = small_model();
  train::Trainer trainer(model, cross_entropy, two_epochs);
  trainer.fit(points(200));
  const auto path = dir.path() / "model.hrm";
  trainer.save_model(path);

  Rng rng(3);
  nn::Sequential wide{nn::Linear{2, 32, rng}, nn::ReLU{}, nn::Linear{32, 2, rng}};
  const auto before = hash_of(wide);
  train::Trainer other(wide, cross_entropy, quiet({.epochs = 1}));
  check_throws<CheckpointError>([&] { other.load_model(path); }, "want [2, 32]", "got [2, 16]");
  CHECK(hash_of(wide) == before);

  auto regression = small_model(7);
  const auto untouched = hash_of(regression);
  train::Trainer values(regression, mse_loss, quiet({.epochs = 1}));
  check_throws<CheckpointError>([&] { values.load_model(path); }, "want a model for regression", "one for classes");
  CHECK(hash_of(regression) == untouched);
  CHECK_FALSE(values.model_info().normalization);

  std::string bytes = dir.read("model.hrm");
  bytes[bytes.size() - 3] = static_cast<char>(bytes[bytes.size() - 3] ^ 1);
  dir.write("model.hrm", bytes);
  check_throws<CheckpointError>([&] { values.load_model(path); }, "damaged");
  check_throws<CheckpointError>([&] { values.load_model(dir.path() / "none.hrm"); }, "none.hrm");
}

TEST_CASE("what Standardize was fitted on is part of the model") {
  const TempDir dir;
  const auto clean = points(200);
  const train::TensorDataset data(clean.inputs() * 40.0 + 7.0, clean.targets());
  Rng rng(1);
  nn::Sequential model{nn::Standardize::fit(data), nn::Linear{2, 8, rng}, nn::ReLU{}, nn::Linear{8, 2, rng}};
  train::Trainer trainer(model, cross_entropy, two_epochs);
  trainer.fit(data);
  trainer.save_model(dir.path() / "model.hrm");
  nn::Sequential other{nn::Standardize::fit(clean), nn::Linear{2, 8, rng}, nn::ReLU{}, nn::Linear{8, 2, rng}};
  train::Trainer loaded(other, cross_entropy, quiet({.epochs = 1}));
  loaded.load_model(dir.path() / "model.hrm");
  CHECK(same_bits(loaded.predict(data), trainer.predict(data)));
}
