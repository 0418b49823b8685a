#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <stdexcept>
#include <vector>

#include "support/check_throws.h"
#include "support/hash.h"
#include "support/tasks.h"
#include "support/tensors.h"

using namespace handrail;
using train::off;
using train::TrainerOptions;

namespace {

struct Fragile : Hooked {
  using Hooked::Hooked;
  int calls = 0, throw_at = -1;
  train::StepOutput training_step(const train::Batch& batch) override {
    if (++calls == throw_at) throw std::runtime_error("mine");
    return Hooked::training_step(batch);
  }
};

}  // namespace

TEST_CASE("a sweep leaves the model as it was, running statistics too, whether it ends well or not") {
  NormModel model;
  const auto before = hash_of(model);
  Fragile trainer(model, cross_entropy, quiet({.epochs = 3}));
  const auto found = trainer.find_lr(points(400));
  CHECK(found.suggestion.has_value());
  CHECK(trainer.calls > 30);
  CHECK(hash_of(model) == before);
  for (const auto& p : model.parameters()) CHECK_FALSE(p.tensor.grad().defined());
  for (const int at : {1, 2, 13, 37}) {
    trainer.calls = 0;
    trainer.throw_at = at;
    CHECK_THROWS_WITH(trainer.find_lr(points(400)), "mine");
    CHECK(hash_of(model) == before);
    for (const auto& p : model.parameters()) CHECK_FALSE(p.tensor.grad().defined());
    CHECK(Tape::active() == nullptr);
  }
}

TEST_CASE("training after a sweep is as without one: data order, random streams and moments are untouched") {
  const auto hash = [](bool sweep) {
    NormModel model;
    train::Trainer trainer(model, cross_entropy, bare({.epochs = 2, .lr = 0.01}));
    if (sweep) trainer.find_lr(points(300));
    trainer.fit(points(300));
    return hash_of(model);
  };
  CHECK(hash(true) == hash(false));

  // The same with the checks on and off.
  const auto checked = [](bool on) {
    NormModel model;
    train::Trainer trainer(model, cross_entropy,
                           on ? quiet({.epochs = 2, .lr = 0.01}) : bare({.epochs = 2, .lr = 0.01}));
    trainer.fit(points(300));
    return hash_of(model);
  };
  CHECK(checked(true) == checked(false));
}

TEST_CASE("a regression in batches of 4 and 8 has a rate, and none when it is fitted already or its units are dead") {
  Rng noise(1);
  const Tensor inputs = normal({600, 3}, 0, 1, noise), targets({600, 1});
  for (Index i = 0; i < 600; ++i)
    targets.mutable_data()[i] = static_cast<Scalar>(std::sin(2 * static_cast<double>(inputs.at({i, 0}))) -
                                                    static_cast<double>(inputs.at({i, 1})) + 0.5 * noise.normal());
  const train::TensorDataset data(inputs, targets);
  for (const Index batch : {4, 8}) {
    CAPTURE(batch);
    Rng rng(2);
    nn::Sequential model{nn::Linear{3, 32, rng}, nn::ReLU{}, nn::Linear{32, 1, rng}};
    const auto before = hash_of(model);
    train::Trainer trainer(model, mse_loss,
                           quiet({.epochs = 60, .batch_size = batch, .patience = off, .restore_best = off}));
    const auto found = trainer.find_lr(data);
    CHECK(hash_of(model) == before);
    REQUIRE(found.suggestion);
    CHECK(*found.suggestion > 1e-4);
    CHECK(*found.suggestion < 0.1);
    const auto result = trainer.fit(data);
    CHECK_FALSE(find_anomaly(result, "no_usable_lr"));
    CHECK(result.lr == *found.suggestion);
    CHECK(result.best->value < 0.5);
    CHECK_FALSE(trainer.find_lr(data).suggestion);
    for (Scalar& b : model.parameters()[1].tensor.mutable_span()) b = -1000;
    for (Scalar& b : model.parameters()[3].tensor.mutable_span()) b = 0;
    CHECK_FALSE(trainer.find_lr(data).suggestion);
  }
}

TEST_CASE("without a given rate fit trains at the one found, and says so") {
  auto model = small_model();
  train::Trainer trainer(model, cross_entropy, quiet({.epochs = 20}));
  const auto alone = trainer.find_lr(points(400));
  const auto result = trainer.fit(points(400));
  REQUIRE(result.lr_finder);
  REQUIRE(alone.suggestion);
  CHECK(result.lr == *alone.suggestion);
  CHECK(*result.lr_finder->suggestion == *alone.suggestion);
  CHECK(result.validation->loss < 0.3);
  bool said = false;
  for (const auto& item : result.summary)
    said = said || (item.name == "lr" && contains(item.value, "by the LR finder") && !item.off);
  CHECK(said);
  CHECK(trainer.options().lr == automatic);  // the next run looks again
}

TEST_CASE("when the finder finds no rate the optimizer's default is used and an anomaly says why") {
  const auto check = [](nn::Layer& model, const train::Loss& loss, const train::TensorDataset& data,
                        train::OptimizerFactory optimizer, double want) {
    TrainerOptions options = bare({.epochs = 1});
    options.optimizer = std::move(optimizer);
    const auto result = train::Trainer(model, loss, options).fit(data);
    const auto* anomaly = find_anomaly(result, "no_usable_lr");
    REQUIRE(anomaly);
    CHECK(contains(anomaly->evidence, "using the optimizer's default"));
    CHECK(result.lr == want);
    REQUIRE(result.lr_finder);
    CHECK_FALSE(result.lr_finder->suggestion.has_value());
    CHECK(result.summary.size() > 5);
  };
  Rng rng(1);
  // A gradient that is zero.
  nn::Sequential dead{nn::Linear{2, 8, rng}, nn::ReLU{}, nn::Linear{8, 2, rng}};
  for (Scalar& b : dead.parameters()[1].tensor.mutable_span()) b = -1000;
  dead.freeze("2.bias");
  check(dead, cross_entropy, points(300), {}, 1e-3);
  check(dead, cross_entropy, points(300), train::with<optim::SGD>(), 1e-2);

  // Targets that are the same for all, and known already.
  nn::Sequential constant{nn::Linear{2, 1, rng}};
  for (const auto& p : constant.parameters())
    for (Scalar& w : p.tensor.mutable_span()) w = 0;
  check(constant, mse_loss, {points(300).inputs(), Tensor::zeros({300, 1})}, {}, 1e-3);

  // A model that has converged.
  nn::Sequential converged{nn::Linear{2, 1, rng}};
  const auto data = points(300);
  const Tensor noise = normal({300, 1}, 0, 1, rng);
  const Tensor line = (data.inputs() * Tensor({1, 2}, {1, 1}));
  Tensor targets({300, 1});
  for (Index i = 0; i < 300; ++i) targets.mutable_data()[i] = line.at({i, 0}) + line.at({i, 1}) + noise.data()[i];
  converged.parameters()[0].tensor.mutable_data()[0] = converged.parameters()[0].tensor.mutable_data()[1] = 1;
  converged.parameters()[1].tensor.mutable_data()[0] = mean(noise).item();
  check(converged, mse_loss, {data.inputs(), targets}, {}, 1e-3);
}

TEST_CASE("a sweep over a loss that is never finite is refused, and so is a run that cannot begin") {
  auto model = small_model();
  const auto before = hash_of(model);
  train::Trainer trainer(
      model, [](const Tensor& y, const Tensor&) { return mean(y) * static_cast<double>(nan_value); },
      quiet({.epochs = 2}));
  const auto found = trainer.find_lr(points(100));
  CHECK_FALSE(found.suggestion.has_value());
  CHECK(contains(found.note, "not finite"));
  const auto result = trainer.fit(points(1000));
  CHECK(find_anomaly(result, "no_usable_lr"));
  CHECK(result.steps == 0);
  CHECK(hash_of(model) == before);
}

TEST_CASE("a sweep before a short run is short, and a sweep with options follows them") {
  auto model = small_model();
  Fragile trainer(model, cross_entropy, quiet({.epochs = 1}));
  CHECK(trainer.find_lr(points(1600)).suggestion.has_value());
  CHECK(trainer.calls <= 41);  // the run itself has 45 steps
  const auto curve = trainer.find_lr(points(1600), {.start = 1e-4, .end = 1e-2, .steps = 60}).curve;
  REQUIRE(curve.size() == 60);
  CHECK(curve.front().lr == doctest::Approx(1e-4));
  CHECK(curve.back().lr == doctest::Approx(1e-2));
  check_throws<OptionError>([&] { trainer.find_lr(points(1600), {.steps = 5}); }, "want steps in [20");
}

TEST_CASE("a short sweep in which noise hides the descent is repeated in full") {
  Rng rng(1);
  const Tensor inputs = normal({900, 3}, 0, 1, rng), noise = normal({900, 1}, 0, 1, rng), targets({900, 1});
  for (Index i = 0; i < 900; ++i) targets.mutable_data()[i] = inputs.at({i, 0}) + noise.data()[i];
  const train::TensorDataset data(inputs, targets);
  nn::Sequential model{nn::Linear{3, 32, rng}, nn::ReLU{}, nn::Linear{32, 1, rng}};
  train::Trainer trainer(model, mse_loss, quiet({.epochs = 3}));
  CHECK_FALSE(trainer.find_lr(data, {.steps = 40}).suggestion);
  CHECK(trainer.find_lr(data).suggestion.has_value());
}

TEST_CASE("on a small table the rate found costs at most a tenth of test loss against the best of a grid") {
  const auto iris = train::load_csv(EXAMPLES_DATA "iris.csv", {.targets = {"species"}}).data;
  const auto mean_loss = [&](OrAuto<double> lr) {
    constexpr std::uint64_t seeds = 8;
    double sum = 0;
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
      const auto [train_set, test_set] = train::random_split(iris, 0.2, seed);
      Rng rng(seed);
      nn::Sequential model{nn::Standardize::fit(train_set), nn::Linear{4, 32, rng}, nn::ReLU{}, nn::Linear{32, 3, rng}};
      train::Trainer trainer(model, cross_entropy,
                             quiet({.epochs = 100, .lr = lr, .lr_scaling = train::LrScaling::none, .seed = seed}));
      const auto result = trainer.fit(train_set);
      sum += trainer.evaluate(test_set).loss;
      if (lr) continue;
      for (const auto& item : result.summary)
        if (item.name == "lr") CHECK(contains(item.value, "by the LR finder, by its rule for small data sets"));
    }
    return sum / seeds;
  };
  double best = 1e300;
  for (const double lr : {3e-4, 1e-3, 3e-3, 1e-2, 3e-2}) best = std::min(best, mean_loss(lr));
  CHECK(mean_loss(train::automatic) <= 1.1 * best);
}
