#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "support/check_throws.h"
#include "support/files.h"
#include "support/tasks.h"
#include "support/tensors.h"

using namespace handrail;
using train::off;
using train::TrainerOptions;

namespace {

// Two rings of points with a quarter of the labels turned over.
train::TensorDataset noisy_rings(Index count, std::uint64_t seed, double noise) {
  Rng rng(seed);
  const Tensor inputs = normal({count, 2}, 0, 1, rng), targets(Shape{count});
  for (Index i = 0; i < count; ++i) {
    const auto x = static_cast<double>(inputs.at({i, 0})), y = static_cast<double>(inputs.at({i, 1}));
    const bool inside = x * x + y * y < 1.4;
    targets.mutable_data()[i] = (rng.uniform() < noise) != inside ? 1 : 0;
  }
  return {inputs, targets};
}

// What the Trainers of the members do alone.
template <class MakeModel>
struct Alone {
  Alone(const MakeModel& make, const train::Loss& loss, TrainerOptions options, const train::Dataset& data,
        const train::Dataset& test, Index members) {
    const train::Seed seed = options.seed;
    for (Index k = 0; k < members; ++k) {
      options.seed = train::derived_seed(seed, k);
      Rng rng(options.seed);
      auto model = make(rng);
      train::Trainer trainer{model, loss, options};
      trainer.fit(data);
      outputs.push_back(trainer.predict(test));
      tests.push_back(trainer.evaluate(test));
    }
  }
  double mean_loss() const {
    double sum = 0;
    for (const auto& test : tests) sum += test.loss / static_cast<double>(tests.size());
    return sum;
  }
  double mean_accuracy() const {
    double sum = 0;
    for (const auto& test : tests) sum += test.accuracy() / static_cast<double>(tests.size());
    return sum;
  }
  std::vector<Tensor> outputs;
  std::vector<train::Evaluation> tests;
};

void check_close(const Tensor& got, const Tensor& want, double tolerance = 1e-6) {
  REQUIRE(got.shape() == want.shape());
  for (Index i = 0; i < got.size(); ++i)
    CHECK(static_cast<double>(got.data()[i]) ==
          doctest::Approx(static_cast<double>(want.data()[i])).epsilon(tolerance).scale(1));
}

}  // namespace

TEST_CASE(
    "an ensemble is better than its members on average on noisy labels, and has the mean of their probabilities") {
  const auto data = noisy_rings(200, 1, 0.15), test = noisy_rings(2000, 2, 0);
  const auto make = [](Rng& rng) { return nn::Sequential{nn::Linear{2, 32, rng}, nn::ReLU{}, nn::Linear{32, 2, rng}}; };
  const TrainerOptions options = bare({.epochs = 60, .lr = 0.03});
  const Alone alone(make, cross_entropy, options, data, test, 5);
  const auto ensemble = train::fit_ensemble(make, cross_entropy, options, data);
  CHECK(ensemble.size() == 5);
  const auto evaluated = ensemble.evaluate(test);
  CHECK(evaluated.samples == 2000);
  CHECK(evaluated.loss < alone.mean_loss());
  CHECK(evaluated.accuracy() > alone.mean_accuracy() + 0.005);
  CHECK(evaluated.confusion().classes() == 2);

  Tensor mean = Tensor::zeros({2000, 2});
  for (const Tensor& y : alone.outputs) mean = mean + softmax(y) * 0.2;
  check_close(ensemble.predict(test), mean);
  check_close(ensemble.predict(test.inputs()), mean);
  // The loss is that of the mean probabilities.
  double loss = 0;
  for (Index i = 0; i < 2000; ++i)
    loss -= std::log(static_cast<double>(mean.at({i, static_cast<Index>(test.targets().data()[i])}))) / 2000;
  CHECK(evaluated.loss == doctest::Approx(loss).epsilon(1e-5));
}

TEST_CASE("members that are sure of opposite classes have a finite loss together") {
  const auto data = points(40);
  Index number = 0;
  const auto make = [&](Rng& rng) {
    nn::Sequential model{nn::Linear{2, 2, rng}};
    const double sign = number++ == 0 ? 300 : -300;
    auto parameters = model.parameters();
    std::ranges::fill(parameters[0].tensor.mutable_span(), Scalar{0});
    parameters[1].tensor.mutable_span()[0] = static_cast<Scalar>(sign);
    return model;
  };
  // A rate that changes nothing.
  const auto ensemble =
      train::fit_ensemble(make, cross_entropy, bare({.epochs = 1, .lr = 1e-12}), data, {.members = 2});
  CHECK(ensemble.evaluate(data).loss == doctest::Approx(std::log(2.0)).epsilon(1e-3));
}

TEST_CASE("an ensemble for binary targets has the mean of the sigmoids, and metrics get logits") {
  const auto labelled = noisy_rings(120, 3, 0.1);
  const train::TensorDataset data(labelled.inputs(), reshape(labelled.targets(), {120, 1}));
  const auto make = [](Rng& rng) { return nn::Sequential{nn::Linear{2, 8, rng}, nn::Tanh{}, nn::Linear{8, 1, rng}}; };
  const TrainerOptions options = bare({.epochs = 10, .lr = 0.05, .metrics = {train::Auc{}}});
  const Alone alone(make, binary_cross_entropy_with_logits, options, data, data, 3);
  const auto ensemble = train::fit_ensemble(make, binary_cross_entropy_with_logits, options, data, {.members = 3});
  Tensor mean = Tensor::zeros({120, 1});
  for (const Tensor& y : alone.outputs) mean = mean + sigmoid(y) * (1 / 3.0);
  const Tensor predicted = ensemble.predict(data);
  check_close(predicted, mean);
  Index correct = 0;
  for (Index i = 0; i < 120; ++i) correct += (predicted.data()[i] > 0.5F) == (data.targets().data()[i] > 0.5F);
  const auto evaluated = ensemble.evaluate(data);
  CHECK(evaluated.accuracy() == doctest::Approx(static_cast<double>(correct) / 120));
  CHECK(evaluated.metric("auc") > 0.5);
  CHECK(evaluated.loss < alone.mean_loss());
}

TEST_CASE("an ensemble of a regression has the mean of the outputs, of any rank") {
  Rng rng(5);
  const Tensor inputs = normal({60, 3}, 0, 1, rng);
  const train::TensorDataset data(inputs, sum(inputs, 1, true));
  const auto make = [](Rng& random) {
    return nn::Sequential{nn::Linear{3, 4, random}, nn::ReLU{}, nn::Linear{4, 1, random}};
  };
  const TrainerOptions options = bare({.epochs = 5, .lr = 0.02});
  const Alone alone(make, mse_loss, options, data, data, 2);
  const auto ensemble = train::fit_ensemble(make, mse_loss, options, data, {.members = 2});
  check_close(ensemble.predict(data), (alone.outputs[0] + alone.outputs[1]) * 0.5);
  CHECK(ensemble.evaluate(data).loss < alone.mean_loss());

  struct Image : nn::Layer {
    explicit Image(Rng& random) : line(add("line", nn::Linear{2, 2, random})) {}
    Tensor forward(const Tensor& x) const override { return reshape(line(reshape(x, {x.shape()[0], 2})), x.shape()); }
    nn::Linear& line;
  };
  const Tensor images = normal({40, 1, 1, 2}, 0, 1, rng);
  const auto of_images = train::fit_ensemble([](Rng& random) { return Image(random); }, mse_loss,
                                             bare({.epochs = 1, .lr = 0.01}), train::TensorDataset(images, images));
  CHECK(of_images.predict(images).shape() == images.shape());
}

TEST_CASE("a saved ensemble predicts the same bits in another program") {
  const TempDir dir;
  const auto path = dir.path() / "rings.hrm";
  const auto data = noisy_rings(150, 1, 0.1);
  const auto make = [](Rng& rng, const train::Dataset& rows) {
    return nn::Sequential{nn::Standardize::fit(rows), nn::Linear{2, 8, rng}, nn::BatchNorm1d{8}, nn::Linear{8, 2, rng}};
  };
  TrainerOptions options = bare({.epochs = 5, .lr = 0.02, .metrics = {train::F1{}}});
  options.class_names = {"outside", "inside"};
  const auto ensemble = train::fit_ensemble(make, cross_entropy, options, data, {.members = 11});
  ensemble.save(path);

  const auto build = [](Rng& rng) {
    return nn::Sequential{nn::Standardize{2}, nn::Linear{2, 8, rng}, nn::BatchNorm1d{8}, nn::Linear{8, 2, rng}};
  };
  const auto loaded = train::load_ensemble(build, cross_entropy, path, {train::F1{}});
  CHECK(loaded.size() == 11);
  CHECK(same_bits(loaded.predict(data), ensemble.predict(data)));
  CHECK(loaded.evaluate(data).loss == ensemble.evaluate(data).loss);
  CHECK(loaded.evaluate(data).metric("f1") == ensemble.evaluate(data).metric("f1"));
  CHECK(loaded.model_info().class_names == options.class_names);
  CHECK(loaded.model_info().input_shape == Shape{2});
  CHECK(loaded.results().empty());
  loaded.save(dir.path() / "again.hrm");
  CHECK(dir.read("again.hrm") == dir.read("rings.hrm"));

  check_throws<OptionError>([&] { train::load_ensemble(make, cross_entropy, path); }, "of an Rng alone");
  check_throws<CheckpointError>([&] { train::load_ensemble(build, mse_loss, path); }, "rings.hrm", "want a model for",
                                "as the loss is");
  check_throws<CheckpointError>([&] { train::load_ensemble(make_small, cross_entropy, path); }, "member_0.");
  check_throws<CheckpointError>([&] { train::load_ensemble(build, cross_entropy, dir.path() / "none"); }, "none");
  auto single = small_model();
  train::save_model(single, {.task = train::Task::multiclass}, dir.path() / "single.hrm");
  check_throws<CheckpointError>([&] { train::load_ensemble(build, cross_entropy, dir.path() / "single.hrm"); },
                                "want a file of Ensemble::save; got one of a single model");
}

TEST_CASE("the members share the constants that raw bytes are normalised with, also in a file") {
  const TempDir dir;
  std::vector<std::uint8_t> bytes, labels;
  Rng rng(9);
  for (int i = 0; i < 100; ++i) {
    labels.push_back(static_cast<std::uint8_t>(rng.below(2)));
    for (int j = 0; j < 2; ++j) bytes.push_back(static_cast<std::uint8_t>(rng.below(100) + 150U * labels.back()));
  }
  const train::ByteDataset data({2}, bytes, labels);
  const auto ensemble =
      train::fit_ensemble(make_small, cross_entropy, quiet({.epochs = 5, .lr = 0.02}), data, {.members = 2});
  const auto constants = ensemble.model_info().normalization, wanted = data.fit_normalization(all_rows(data));
  REQUIRE(constants);
  CHECK(constants->mean == wanted->mean);
  CHECK(constants->stddev == wanted->stddev);
  CHECK(ensemble.evaluate(data).accuracy() > 0.9);
  ensemble.save(dir.path() / "bytes.hrm");
  CHECK(same_bits(train::load_ensemble(make_small, cross_entropy, dir.path() / "bytes.hrm").predict(data),
                  ensemble.predict(data)));
}

TEST_CASE("an ensemble writes no files while it is fitted, reports each member, and can be moved") {
  const TempDir dir;
  const auto sink = std::make_shared<train::MemorySink>();
  TrainerOptions options{.epochs = 2, .lr = 0.02, .checkpoints = train::CheckpointOptions{.dir = dir.path() / "runs"}};
  options.metrics_csv = dir.path() / "metrics.csv";
  options.sinks = {sink};
  const auto data = points(90);
  auto ensemble = train::fit_ensemble(make_small, cross_entropy, options, data, {.members = 3});
  CHECK(std::filesystem::is_empty(dir.path()));
  CHECK(sink->steps.empty());
  REQUIRE(sink->parts.size() == 3);
  CHECK(std::string(sink->parts[1].kind) == "member");
  CHECK(sink->parts[1].number == 2);
  CHECK_FALSE(sink->parts[1].test);
  REQUIRE(ensemble.results().size() == 3);
  CHECK(ensemble.results()[1].train_loss == sink->parts[1].fit.train_loss);
  CHECK(ensemble.results()[1].train_loss != ensemble.results()[0].train_loss);
  const Tensor before = ensemble.predict(data);
  const train::Ensemble moved = std::move(ensemble);
  CHECK(same_bits(moved.predict(data), before));
}

TEST_CASE("a signal ends an ensemble, which keeps the members that are complete, or one at least") {
  const auto data = points(200);
  const auto interrupted = [&](int at_fit) {
    int fits = 0;
    const auto make = [&](Rng& rng) {
      if (++fits == at_fit) std::raise(SIGTERM);
      return make_small(rng);
    };
    return train::fit_ensemble(make, cross_entropy, bare({.epochs = 2, .lr = 0.02}), data);
  };
  const auto two = interrupted(3);
  CHECK(two.size() == 2);
  CHECK(two.exit_status() == 128 + SIGTERM);
  CHECK(two.evaluate(data).samples == 200);
  const auto first = interrupted(1);
  CHECK(first.size() == 1);
  CHECK(first.results()[0].reason == train::StopReason::interrupted);
  CHECK(first.exit_status() == 128 + SIGTERM);
}

TEST_CASE("an ensemble names warnings of its members once, and refuses to have no members") {
  const auto raw = points(200);
  const train::TensorDataset data(raw.inputs() * 1e4, raw.targets());
  const auto ensemble =
      train::fit_ensemble(make_small, cross_entropy, quiet({.epochs = 2, .standardize = off}), data, {.members = 2});
  CHECK(contains(ensemble.diagnosis_text(), "input_scale: member 1"));
  CHECK(contains(ensemble.diagnosis_text(), "(reported 2 times)"));
  check_throws<OptionError>(
      [&] { train::fit_ensemble(make_small, cross_entropy, quiet({.epochs = 2}), data, {.members = 0}); },
      "want members >= 1; got 0");
  check_throws<OptionError>([&] { train::fit_ensemble(make_small, cross_entropy, quiet({.epochs = 0}), data); },
                            "epochs");
}
