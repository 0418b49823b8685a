#include <doctest/doctest.h>

#include <limits>
#include <string>
#include <vector>

#include "support/guard_runs.h"
#include "support/hash.h"
#include "support/tasks.h"
#include "support/tensors.h"

using namespace handrail;
using train::off;

namespace {

// log() of numbers that are negative at times.
struct Logs : nn::Layer {
  explicit Logs(Rng& rng)
      : first(add("first", nn::Linear{2, 8, rng})),
        second(add("second", nn::Linear{8, 8, rng})),
        third(add("third", nn::Linear{8, 2, rng})) {}
  Tensor forward(const Tensor& x) const override { return third(log(second(relu(first(x))))); }
  nn::Linear& first;
  nn::Linear& second;
  nn::Linear& third;
};

train::FitResult fit(nn::Layer& model, const train::TensorDataset& data, Index accumulated = 1) {
  return train::Trainer(model, cross_entropy, bare({.epochs = 1, .accumulate_grad_batches = accumulated, .lr = 0.01}))
      .fit(data);
}

}  // namespace

TEST_CASE("a value in the data that cannot be trained on is named by its row in the data set") {
  for (const Scalar value : {nan_value, std::numeric_limits<Scalar>::infinity()})
    for (const Index accumulated : {1, 3}) {
      // The rows are those of the set given, whatever the split and the order.
      const auto data = points(300);
      const auto rows = train::stratified_split(train::Rows(data), 0.1, 42).first;
      const Index row = rows.numbers()[123];
      auto model = small_model();
      const auto result = fit(model, points_with(300, {row}, value), accumulated);
      const auto* anomaly = find_anomaly(result, "non_finite");
      REQUIRE(anomaly);
      CHECK(anomaly->where == "row " + std::to_string(row) + " of the training set");
      CHECK(contains(anomaly->text(), "input in the data that is NaN, infinite or huge"));
      CHECK(contains(anomaly->text(), "clean that row"));
      CHECK(contains(anomaly->details, "inputs: min "));
      CHECK(contains(anomaly->details, "targets: min 0, max 1, mean 0."));
      CHECK(contains(anomaly->details, ", 1 of "));
      CHECK(contains(anomaly->details, "at layer '0'"));
      CHECK(all_finite(model));
    }
}

TEST_CASE("a target that is not finite or too large to be squared is named by its row too") {
  for (const Scalar value : {nan_value, Scalar(-1e25)}) {
    Rng rng(1);
    const Tensor inputs = normal({100, 2}, 0, 1, rng), targets = Tensor::zeros({100, 1});
    targets.mutable_data()[31] = value;
    nn::Sequential model{nn::Linear{2, 1, rng}};
    train::Trainer trainer(model, mse_loss, bare({.epochs = 1, .lr = 0.01, .validation_split = off}));
    const auto result = trainer.fit(train::TensorDataset(inputs, targets, {.check_finite = false}));
    const auto* anomaly = find_anomaly(result, "non_finite");
    REQUIRE(anomaly);
    CHECK(anomaly->where == "row 31 of the training set");
    CHECK(contains(anomaly->cause, "target"));
    CHECK(all_finite(model));
  }
}

TEST_CASE("a value that the model makes is named by the op and the layer before it") {
  Rng rng(1);
  Logs model(rng);
  const auto result = fit(model, points(100));
  const auto* anomaly = find_anomaly(result, "non_finite");
  REQUIRE(anomaly);
  CHECK(anomaly->where == "layer 'second'");
  CHECK(contains(anomaly->details, "first seen in the forward of op 'log' at layer 'second'"));
  CHECK(contains(anomaly->evidence, "loss "));
}

TEST_CASE("a NaN that the loss makes is placed in the loss, not in the last layer") {
  const auto found = [](auto&& loss, Scalar scale = 1) {
    auto model = small_model();
    for (const auto& p : model.parameters())
      for (Scalar& w : p.tensor.mutable_span()) w *= scale;
    train::Trainer trainer(model, train::Loss(loss, train::Task::multiclass), bare({.epochs = 1, .lr = 0.01}));
    const auto result = trainer.fit(points(100));
    const auto* anomaly = find_anomaly(result, "non_finite");
    REQUIRE(anomaly);
    check_headline(*anomaly);
    return *anomaly;
  };
  const auto forward = found([](const Tensor& y, const Tensor&) { return mean(log(y)); });
  CHECK(forward.where == "loss, op 'log'");
  CHECK(contains(forward.details, "first seen in the forward of op 'log' in the loss"));
  CHECK(contains(forward.cause, "a loss that is not defined for all predictions"));
  CHECK(contains(forward.remedy, "away from 0"));
  CHECK_FALSE(contains(forward.text(), "layer"));
  const auto backward = found([](const Tensor& y, const Tensor&) { return mean(sqrt(y - y)); });
  CHECK(backward.where == "loss, op 'sqrt'");
  CHECK(contains(backward.details, "first seen in the backward of op 'sqrt' in the loss"));
  // Huge predictions are no fault of the loss.
  const auto huge = found([](const Tensor& y, const Tensor&) { return mean(y * y); }, Scalar(1e10));
  CHECK(huge.where == "layer '2'");
  CHECK(contains(huge.cause, "a learning rate that is too high"));
}

TEST_CASE("a gradient that is not finite is named by the op whose backward made it") {
  auto model = small_model();
  Poisoned trainer(model, cross_entropy, bare({.epochs = 1, .lr = 0.01}));
  trainer.in_gradient = true;
  trainer.bad = [](std::int64_t attempt) { return attempt == 2; };
  const auto result = trainer.fit(points(100));
  const auto* anomaly = find_anomaly(result, "non_finite");
  REQUIRE(anomaly);
  CHECK(contains(anomaly->evidence, "gradient norm"));
  CHECK(contains(anomaly->details, "first seen in the backward of op 'sqrt'"));
  CHECK(anomaly->step == 2);
}

TEST_CASE("the replay is the same step with the same masks, and changes nothing") {
  struct Recording : Poisoned {
    using Poisoned::Poisoned;
    std::vector<Tensor> outputs;
    train::StepOutput training_step(const train::Batch& batch) override {
      train::StepOutput out = Poisoned::training_step(batch);
      if (attempt == 3) outputs.push_back(out.predictions.clone());
      return out;
    }
  };
  NormModel model(1, 0.5);
  Recording trainer(model, cross_entropy, bare({.epochs = 1, .lr = 0.01}));
  trainer.bad = [](std::int64_t attempt) { return attempt == 3; };
  std::uint64_t before = 0;
  trainer.step_start = [&](std::int64_t) { before = hash_of(model); };
  trainer.step_end = [&](const train::StepStats& stats) {
    if (!stats.updated) CHECK(hash_of(model) == before);
  };
  trainer.fit(points(200));
  REQUIRE(trainer.outputs.size() == 2);
  CHECK(same_bits(trainer.outputs[0], trainer.outputs[1]));
}

TEST_CASE("a run that fails at every step is explained a few times, and when it is stopped") {
  auto model = small_model();
  Poisoned trainer(model, cross_entropy, bare({.epochs = 1, .lr = 0.01}));
  trainer.bad = [](std::int64_t attempt) { return attempt > 1; };
  const auto result = trainer.fit(points(3000));
  REQUIRE(result.anomalies.size() == 24);
  int explained = 0;
  for (const auto& anomaly : result.anomalies) explained += contains(anomaly.text(), "first seen") ? 1 : 0;
  CHECK(explained == 13);  // ten, the returns at 12 and 18, and the stop
  CHECK(contains(result.anomalies.back().text(), "first seen"));
}

TEST_CASE("a frozen layer is not reported as one without gradient") {
  for (const bool frozen : {true, false}) {
    Rng rng(1);
    nn::Sequential model{nn::Linear{2, 8, rng}, nn::Tanh{}, nn::Linear{8, 2, rng}};
    if (frozen)
      model.freeze("0");
    else  // nothing passes the second layer
      for (Scalar& w : model.parameters()[2].tensor.mutable_span()) w = 0;
    struct Blocked : train::Trainer {
      using Trainer::Trainer;
      std::unique_ptr<optim::Optimizer> configure_optimizer() override {
        // The weight that blocks stays as it is.
        return std::make_unique<optim::SGD>(std::vector<optim::ParamGroup>{
            {.name = "all", .params = {model().parameters()[0], model().parameters()[1], model().parameters()[3]}}});
      }
    };
    Blocked trainer(model, cross_entropy, bare({.epochs = 3, .lr = 0.1}));
    const auto result = trainer.fit(points(600));
    const auto* anomaly = find_anomaly(result, "dead_units");
    CHECK((anomaly == nullptr) == frozen);
    if (anomaly) CHECK(anomaly->where == "layer '0'");
  }
}
