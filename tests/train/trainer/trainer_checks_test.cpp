#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/guard_runs.h"
#include "support/check_throws.h"
#include "support/hash.h"
#include "support/tasks.h"

using namespace handrail;
using train::off;
using train::TrainerOptions;

namespace {

train::TensorDataset scaled(const train::TensorDataset& data, double inputs) {
  return {data.inputs() * inputs, data.targets()};
}

// Fits and returns the anomalies; whatever is found, the first step starts from the model as it was.
std::vector<train::Anomaly> anomalies(nn::Layer& model, const train::Loss& loss, const train::TensorDataset& data,
                                      train::CheckOptions checks, const train::TensorDataset* validation = nullptr) {
  checks.settings = false;
  TrainerOptions options =
      quiet({.epochs = 1, .batch_size = 16, .guards = {.linear = off}, .checks = checks, .standardize = off});
  Hooked trainer(model, loss, options);
  const auto before = hash_of(model);
  bool started = false;
  trainer.fit_start = [&] {
    started = true;
    CHECK(hash_of(model) == before);
    for (const auto& p : model.parameters()) CHECK_FALSE(p.tensor.grad().defined());
  };
  const auto result = validation ? trainer.fit(data, *validation) : trainer.fit(data);
  CHECK(started);
  return result.anomalies;
}

bool has(const std::vector<train::Anomaly>& anomalies, const std::string& name) {
  for (const auto& anomaly : anomalies)
    if (anomaly.name == name) {
      CHECK(anomaly.step == 0);
      CHECK_FALSE(anomaly.evidence.empty());
      CHECK_FALSE(anomaly.remedy.empty());
      check_headline(anomaly);
      return true;
    }
  return false;
}

}  // namespace

TEST_CASE("good data and a good model pass all checks in silence, and the model is untouched by them") {
  NormModel norm;
  CHECK(anomalies(norm, cross_entropy, points(300), {}).empty());
  auto plain = small_model();
  CHECK(anomalies(plain, cross_entropy, points(300), {}).empty());
}

TEST_CASE("inputs far from unit scale are reported, unless the model brings them to scale or it is opted out") {
  const auto raw = scaled(points(300), 100);
  auto model = small_model();
  CHECK(has(anomalies(model, cross_entropy, raw, {}), "input_scale"));
  CHECK_FALSE(has(anomalies(model, cross_entropy, raw, {.input_scale = off}), "input_scale"));
  Rng rng(1);
  nn::Sequential standardised{nn::Standardize::fit(raw), nn::Linear{2, 8, rng}, nn::ReLU{}, nn::Linear{8, 2, rng}};
  CHECK_FALSE(has(anomalies(standardised, cross_entropy, raw, {}), "input_scale"));
}

TEST_CASE("targets of a regression far from unit scale are reported") {
  Rng rng(1);
  nn::Sequential model{nn::Linear{2, 1, rng}};
  const auto data = points(300);
  const train::TensorDataset raw(data.inputs(), (data.targets() * 5000.0).view({300, 1}));
  CHECK(has(anomalies(model, mse_loss, raw, {}), "target_scale"));
  CHECK_FALSE(has(anomalies(model, mse_loss, raw, {.input_scale = off}), "target_scale"));
}

TEST_CASE("NaN in the data is an error before the first step, and left to the guards when opted out") {
  auto model = small_model();
  const auto data = points_with(300, {17}, nan_value);
  check_throws<DataError>([&] { anomalies(model, cross_entropy, data, {}); }, "row 17");
  const auto found = anomalies(model, cross_entropy, data, {.finite = off, .overfit_batch = off});
  bool by_guard = false;
  for (const auto& anomaly : found) by_guard = by_guard || anomaly.name == "non_finite";
  CHECK(by_guard);
}

TEST_CASE("classes out of range are an error, missing ones a warning") {
  Rng rng(1);
  nn::Sequential model{nn::Linear{2, 3, rng}};
  CHECK(has(anomalies(model, cross_entropy, points(300), {}), "missing_class"));
  CHECK_FALSE(has(anomalies(model, cross_entropy, points(300), {.labels = off}), "missing_class"));
  const auto data = points(300);
  const Tensor targets = data.targets().clone();
  targets.mutable_data()[250] = 3;
  const train::TensorDataset wrong(data.inputs(), targets);
  const auto before = hash_of(model);
  check_throws<DataError>([&] { anomalies(model, cross_entropy, wrong, {}); }, "row 250", "training");
  CHECK(hash_of(model) == before);
}

TEST_CASE("validation rows that are training rows are reported") {
  auto model = small_model();
  const auto data = points(300);
  const train::TensorDataset known(train::first_samples(data, 50).inputs, train::first_samples(data, 50).targets);
  CHECK(has(anomalies(model, cross_entropy, data, {}, &known), "duplicate_rows"));
  CHECK_FALSE(has(anomalies(model, cross_entropy, data, {.duplicates = off}, &known), "duplicate_rows"));
}

TEST_CASE("a first loss far above that of guessing is reported") {
  auto model = small_model();
  for (const auto& p : model.parameters())
    for (Scalar& w : p.tensor.mutable_span()) w *= 30;
  CHECK(has(anomalies(model, cross_entropy, points(300), {}), "initial_loss"));
  auto again = small_model();
  for (const auto& p : again.parameters())
    for (Scalar& w : p.tensor.mutable_span()) w *= 30;
  CHECK_FALSE(has(anomalies(again, cross_entropy, points(300), {.initial_loss = off}), "initial_loss"));
  // A loss of one's own may be of any size.
  auto other = small_model();
  const auto large = [](const Tensor& y, const Tensor& t) { return 100 * cross_entropy(y, t); };
  CHECK_FALSE(has(anomalies(other, train::Loss(large, train::Task::multiclass), points(300), {}), "initial_loss"));
}

TEST_CASE("a layer that was not added to its module is reported, as it would never train") {
  struct Forgetful : nn::Layer {
    explicit Forgetful(Rng& rng) : added(add("added", nn::Linear{2, 8, rng})), forgotten(8, 2, rng) {}
    Tensor forward(const Tensor& x) const override { return forgotten(relu(added(x))); }
    nn::Linear& added;
    nn::Linear forgotten;
  };
  Rng rng(1);
  Forgetful model(rng);
  const auto found = anomalies(model, cross_entropy, points(300), {});
  CHECK(std::ranges::count(found, "unregistered", &train::Anomaly::name) == 2);  // its weight and its bias
  CHECK(contains(found.at(0).text(), "[8, 2]"));
  CHECK(contains(found.at(0).text(), "add()"));
  CHECK_FALSE(has(anomalies(model, cross_entropy, points(300), {.reach = off}), "unregistered"));
}

TEST_CASE("a parameter that the loss does not depend on is reported, unless it is frozen") {
  struct Spare : nn::Layer {
    explicit Spare(Rng& rng) : used(add("used", nn::Linear{2, 2, rng})), spare(add("spare", nn::Linear{2, 2, rng})) {}
    Tensor forward(const Tensor& x) const override { return used(x); }
    nn::Linear& used;
    nn::Linear& spare;
  };
  Rng rng(1);
  Spare model(rng);
  const auto found = anomalies(model, cross_entropy, points(300), {});
  REQUIRE(has(found, "unreached"));
  CHECK(found.at(0).where == "spare.weight");
  CHECK_FALSE(has(anomalies(model, cross_entropy, points(300), {.reach = off}), "unreached"));
  model.freeze("spare");
  CHECK_FALSE(has(anomalies(model, cross_entropy, points(300), {}), "unreached"));
}

TEST_CASE("a batch that cannot be learnt is reported") {
  // Dead units: only a constant comes out, and the classes are even.
  Rng rng(1);
  const auto dead = [&] {
    nn::Sequential model{nn::Linear{2, 8, rng}, nn::ReLU{}, nn::Linear{8, 2, rng}};
    for (Scalar& b : model.parameters()[1].tensor.mutable_span()) b = -1000;
    for (Scalar& b : model.parameters()[3].tensor.mutable_span()) b = 0;
    model.freeze("2.bias");
    return model;
  };
  auto model = dead();
  const auto found = anomalies(model, cross_entropy, points(300), {});
  CHECK(has(found, "overfit_batch"));
  CHECK(has(found, "no_usable_lr"));
  auto again = dead();
  CHECK_FALSE(has(anomalies(again, cross_entropy, points(300), {.overfit_batch = off}), "overfit_batch"));
}

TEST_CASE("a batch that plain SGD learns slowly, or whose targets are raw, can be learnt") {
  const auto check = [](train::OptimizerFactory optimizer, const train::Loss& loss, const train::TensorDataset& data,
                        Index outputs) {
    Rng rng(1);
    nn::Sequential model{nn::Linear{2, 16, rng}, nn::Sigmoid{}, nn::Linear{16, 16, rng}, nn::Sigmoid{},
                         nn::Linear{16, outputs, rng}};
    TrainerOptions options = quiet({.epochs = 1, .optimizer = std::move(optimizer), .lr = 0.01, .standardize = off});
    return train::Trainer(model, loss, options).fit(data);
  };
  const auto data = points(300);
  CHECK_FALSE(find_anomaly(check(train::with<optim::SGD>(), cross_entropy, data, 2), "overfit_batch"));
  const auto scaled_targets = [&](double scale) {
    return train::TensorDataset(data.inputs(), ((data.targets() + 1.0) * scale).view({300, 1}));
  };
  for (const auto& optimizer : {train::OptimizerFactory{}, train::OptimizerFactory{train::with<optim::SGD>()}}) {
    const auto raw = check(optimizer, mse_loss, scaled_targets(150), 1);
    CHECK_FALSE(find_anomaly(raw, "overfit_batch"));
    const auto* scale = find_anomaly(raw, "target_scale");
    REQUIRE(scale);
    CHECK(contains(scale->remedy, "standardise the targets"));
    // No rate that is tried moves the outputs so far. The advice is about the targets then, not about the model.
    const auto huge = check(optimizer, mse_loss, scaled_targets(1e6), 1);
    const auto* anomaly = find_anomaly(huge, "overfit_batch");
    REQUIRE(anomaly);
    check_headline(*anomaly);
    CHECK(contains(anomaly->cause, "targets that are far from the outputs"));
    CHECK(contains(anomaly->remedy, "standardise the targets"));
  }
}

TEST_CASE("a subclass may train on other inputs than the batch's, and on another loss than it was made with") {
  struct Doubled : Hooked {
    using Hooked::Hooked;
    train::StepOutput training_step(const train::Batch& batch) override {
      const Index n = batch.inputs.shape()[0];
      Tensor wide({n, 4});
      for (Index i = 0; i < n; ++i)
        for (Index j = 0; j < 4; ++j) wide.mutable_data()[4 * i + j] = batch.inputs.at({i, j % 2});
      const Tensor logits = static_cast<const nn::Layer&>(model())(wide);
      return {.loss = 50 * cross_entropy(logits, batch.targets), .predictions = logits};
    }
  };
  Rng rng(1);
  nn::Sequential model{nn::Linear{4, 2, rng}};
  Doubled trainer(model, cross_entropy, quiet({.epochs = 3}));
  const auto result = trainer.fit(points(300));
  CHECK(result.reason == train::StopReason::finished);
  CHECK_FALSE(find_anomaly(result, "initial_loss"));
}

TEST_CASE("the rules about data run before the first step, the cause comes first, and each family can be opted out") {
  const auto data = points(300);
  const Tensor x = data.inputs().clone();
  for (Index i = 7; i < 300; i += 15) x.mutable_data()[2 * i] = -999;
  const train::TensorDataset coded(x, data.targets());
  auto model = small_model();
  const auto found = anomalies(model, cross_entropy, coded, {});
  REQUIRE(has(found, "coded_missing"));
  CHECK(found[0].name == "coded_missing");
  CHECK(has(found, "input_scale"));
  CHECK_FALSE(has(anomalies(model, cross_entropy, coded, {.columns = off}), "coded_missing"));
  const auto few = points(300);
  const train::TensorDataset tiny(train::first_samples(few, 4).inputs, train::first_samples(few, 4).targets);
  CHECK(has(anomalies(model, cross_entropy, data, {.duplicates = off}, &tiny), "small_validation_set"));
  CHECK_FALSE(
      has(anomalies(model, cross_entropy, data, {.rows = off, .duplicates = off}, &tiny), "small_validation_set"));
}

TEST_CASE("a data set that returns other rows than it is asked for, or other inputs each time, is reported") {
  struct Own : train::Dataset {
    Index size() const override { return 320; }
    Shape input_shape() const override { return {2}; }
    Shape target_shape() const override { return {}; }
    void gather(std::span<const Index> rows, const train::Batch& batch) const override {
      for (std::size_t i = 0; i < rows.size(); ++i) {
        // Of a set in order, the next rows whatever was asked for; or inputs that are drawn anew.
        const Index row = in_order ? next++ % 320 : rows[i];
        Rng rng(static_cast<std::uint64_t>(in_order ? row : next++));
        batch.targets.mutable_data()[i] = static_cast<Scalar>(row / 160);
        for (std::size_t j = 0; j < 2; ++j) batch.inputs.mutable_data()[2 * i + j] = static_cast<Scalar>(rng.normal());
      }
    }
    mutable Index next = 0;
    bool in_order = true;
  };
  const auto names = [](bool in_order) {
    Own own;
    own.in_order = in_order;
    auto model = small_model();
    train::Trainer trainer(model, cross_entropy, quiet({.epochs = 1, .batch_size = 16}));
    std::string all;
    for (const auto& anomaly : trainer.fit(own).anomalies) all += anomaly.name + " ";
    return all;
  };
  CHECK(contains(names(true), "sorted_rows"));
  CHECK(contains(names(false), "unstable_data"));
}
