#include <doctest/doctest.h>

#include <algorithm>
#include <utility>

#include "support/hash.h"
#include "train/standardise/raw_data.h"

using namespace handrail;
using namespace raw_data;
using train::off;
using train::TrainerOptions;

namespace {

double accuracy_of(const train::TensorDataset& data, bool standardize) {
  auto model = model_of(3);
  train::Trainer trainer(model, cross_entropy, quiet({.epochs = 30, .standardize = standardize}));
  trainer.fit(data);
  return trainer.evaluate(data).accuracy();
}

}  // namespace

TEST_CASE("raw columns are standardised in the model, which then learns them as standardised ones") {
  const auto raw = raw_classes();
  const auto by_hand = nn::Standardize::fit(raw)(raw.inputs());
  const double wanted = accuracy_of({by_hand, raw.targets()}, true);
  CHECK(wanted > 0.9);
  CHECK(accuracy_of(raw, true) > wanted - 0.03);
  CHECK(accuracy_of(raw, false) < 0.85);

  auto model = model_of(3);
  train::Trainer trainer(model, cross_entropy, quiet({.epochs = 3}));
  const auto result = trainer.fit(raw);
  CHECK_FALSE(find_anomaly(result, "input_scale"));
  CHECK(has_line(result, "inputs standardised"));
  REQUIRE(model.input_scale());
  CHECK_FALSE(model.output_scale());
  CHECK(model.buffers()[0].name == "(input).mean");
  CHECK(model.input_scale()->inverse.data()[3] == 1);  // the constant column
  CHECK(model.input_scale()->mean.data()[3] == 7);
  CHECK(values_of(trainer.predict(raw.inputs())) == values_of(model(raw.inputs())));
}

TEST_CASE("outliers and coded missing values do not squeeze the other rows together") {
  const auto raw = raw_classes();
  for (const auto& data :
       {with_inputs(raw, {11, 12, 13}, 1e9F), with_inputs(raw, {3, 50, 80, 110, 140, 170, 200}, -99999)}) {
    auto model = model_of(3);
    train::Trainer trainer(model, cross_entropy, quiet({.epochs = 30}));
    const auto result = trainer.fit(data);
    CHECK_FALSE(find_anomaly(result, "input_scale"));
    REQUIRE(model.input_scale());
    CHECK(model.input_scale()->options().robust);
    CHECK(model.buffers()[0].name == "(robust_input).mean");
    CHECK(trainer.evaluate(data).accuracy() > 0.85);
  }
}

TEST_CASE("raw targets are standardised in the model, and losses and predictions are in their units") {
  for (const auto& loss : {train::Loss(mse_loss), train::Loss(l1_loss), train::Loss(huber_loss)}) {
    const auto data = raw_values(1e5, 10);
    auto model = model_of(1);
    train::Trainer trainer(model, loss, quiet({.epochs = 30}));
    const auto result = trainer.fit(data);
    CHECK_FALSE(find_anomaly(result, "target_scale"));
    CHECK_FALSE(find_anomaly(result, "overfit_batch"));
    CHECK_FALSE(find_anomaly(result, "exploding_activations"));
    CHECK_FALSE(find_anomaly(result, "exploding_gradient"));
    CHECK(has_line(result, "targets standardised"));
    CHECK(r2(trainer, data) > 0.9);
    const double error = trainer.evaluate(data).loss;
    CHECK(error < 10);
    CHECK(error == doctest::Approx(static_cast<double>(loss(trainer.predict(data), data.targets()).item())));
  }
}

TEST_CASE("targets of any scale give the same steps as standardised ones") {
  // Factors of 2 do not round.
  const auto run = [](double scale) {
    const auto data = raw_values(0, 1);
    const train::TensorDataset scaled(data.inputs(), data.targets() * scale);
    auto model = model_of(1);
    train::Trainer trainer(model, mse_loss, quiet({.epochs = 3}));
    const auto result = trainer.fit(scaled);
    CHECK(model.output_scale());
    return std::pair(result.lr, trainer.evaluate(scaled).loss / scale / scale);
  };
  const auto [lr, loss] = run(1024);
  const auto [other_lr, other_loss] = run(1024 * 1024);
  CHECK(lr == doctest::Approx(other_lr));
  CHECK(loss == doctest::Approx(other_loss).epsilon(1e-3));
}

TEST_CASE("gradients are those of standardised targets: SGD learns raw ones, also over accumulated batches") {
  const auto data = raw_values(1e5, 10);
  for (const Index batches : {1, 2}) {
    auto model = model_of(1);
    TrainerOptions options = quiet({.epochs = 60, .batch_size = 16, .accumulate_grad_batches = batches});
    options.optimizer = train::with<optim::SGD>({.momentum = 0.9});
    Hooked trainer(model, mse_loss, options);
    double largest = 0;
    trainer.step_end = [&](const train::StepStats& stats) { largest = std::max(largest, stats.grad_norm); };
    trainer.fit(data);
    CHECK(r2(trainer, data) > 0.9);
    CHECK(largest < 20);  // in the units of the targets it would be 10 times as large
  }
}

TEST_CASE("a scale that makes outputs as small as the targets is no fault") {
  const auto data = raw_values(0, 1e-4);
  auto model = model_of(1);
  for (Scalar& weight : model.parameters()[2].tensor.mutable_span()) weight *= Scalar(0.01);
  train::Trainer trainer(model, mse_loss, quiet({.epochs = 30}));
  const auto result = trainer.fit(data);
  CHECK(model.output_scale());
  CHECK_FALSE(find_anomaly(result, "vanishing_activations"));
  CHECK(r2(trainer, data) > 0.9);
}

TEST_CASE("the LR finder sweeps the standardised problem and leaves the model as it was") {
  const auto data = raw_values(1e5, 10);
  auto model = model_of(1);
  train::Trainer trainer(model, mse_loss, quiet({.epochs = 20}));
  const auto found = trainer.find_lr(data);
  CHECK_FALSE(model.input_scale());
  CHECK_FALSE(model.output_scale());
  CHECK(model.buffers().empty());
  REQUIRE(found.suggestion);
  CHECK(trainer.fit(data).lr == doctest::Approx(*found.suggestion));

  auto plain = model_of(1);
  const train::TensorDataset by_hand(nn::Standardize::fit(data)(data.inputs()),
                                     nn::Standardize::fit(data.targets())(data.targets()));
  const auto wanted = train::Trainer(plain, mse_loss, quiet({.epochs = 20})).find_lr(by_hand);
  REQUIRE(wanted.suggestion);
  CHECK(*found.suggestion < 3 * *wanted.suggestion);
  CHECK(*found.suggestion > *wanted.suggestion / 3);
}

TEST_CASE("standardize = off leaves raw data to the warnings, and the summary says so") {
  const auto data = raw_values(1e5, 10);
  auto model = model_of(1);
  train::Trainer trainer(model, mse_loss, quiet({.epochs = 2, .standardize = off}));
  const auto result = trainer.fit(data);
  CHECK(find_anomaly(result, "input_scale"));
  CHECK(find_anomaly(result, "target_scale"));
  CHECK(model.buffers().empty());
  bool is_shown = false;
  for (const auto& item : result.summary) is_shown = is_shown || (item.name == "standardize" && item.off);
  CHECK(is_shown);
}

TEST_CASE("data of a usual scale is left alone, bit for bit") {
  const auto run = [](bool standardize) {
    auto model = small_model();
    train::Trainer trainer(model, cross_entropy, quiet({.epochs = 3, .standardize = standardize}));
    trainer.fit(points(300));
    CHECK_FALSE(model.input_scale());
    return hash_of(model);
  };
  CHECK(run(true) == run(false));
}

TEST_CASE("a model that does not read its inputs by trained linear layers alone gets no scale") {
  const auto data = raw_classes();
  const auto check = [&](nn::Layer& model, const train::Loss& loss = cross_entropy) {
    train::Trainer trainer(model, loss, quiet({.epochs = 1}));
    const auto result = trainer.fit(data);
    CHECK(find_anomaly(result, "input_scale"));
    CHECK_FALSE(model.input_scale());
  };
  // It has a meaning of its own for the values of a column.
  struct Logarithm : nn::Layer {
    Tensor forward(const Tensor& x) const override { return log(x * x + 1.0) * 100; }
  };
  Rng rng(1);
  nn::Sequential logarithm{Logarithm{}, nn::Linear{4, 3, rng}};
  check(logarithm);
  auto frozen = model_of(3);
  frozen.freeze("0");
  check(frozen);
  nn::Sequential norm{nn::LayerNorm{4}, nn::Linear{4, 3, rng}};
  check(norm);
}

TEST_CASE("a step of one's own gets scales only when it is the usual one") {
  struct Own : train::Trainer {
    using Trainer::Trainer;
    train::StepOutput training_step(const train::Batch& batch) override {
      const auto& net = static_cast<const nn::Layer&>(model());
      const Tensor predictions = net(is_called ? batch.inputs : batch.inputs * 1.0);
      return {.loss = mse_loss(predictions, batch.targets) + penalty, .predictions = predictions};
    }
    bool is_called = true;
    double penalty = 0;
  };
  const auto scales_of = [](bool is_called, double penalty) {
    auto model = model_of(1);
    Own trainer(model, mse_loss, quiet({.epochs = 1}));
    trainer.is_called = is_called;
    trainer.penalty = penalty;
    trainer.fit(raw_values(1e5, 10));
    return std::pair(model.input_scale() != nullptr, model.output_scale() != nullptr);
  };
  CHECK(scales_of(true, 0) == std::pair(true, true));
  CHECK(scales_of(true, 1) == std::pair(true, false));
  CHECK(scales_of(false, 0) == std::pair(false, true));
  // A loss of the user's may have another unit.
  auto model = model_of(1);
  const auto own = [](const Tensor& y, const Tensor& t) { return mse_loss(y, t); };
  train::Trainer trainer(model, own, quiet({.epochs = 1}));
  CHECK(find_anomaly(trainer.fit(raw_values(1e5, 10)), "target_scale"));
  CHECK(model.input_scale());
  CHECK_FALSE(model.output_scale());
  // Outputs that are bounded are no multiples of a scale.
  Rng rng(1);
  nn::Sequential bounded{nn::Linear{4, 8, rng}, nn::ReLU{}, nn::Linear{8, 1, rng}, nn::Tanh{}};
  train::Trainer of_bounded(bounded, mse_loss, quiet({.epochs = 1}));
  CHECK(find_anomaly(of_bounded.fit(raw_values(1e5, 10)), "target_scale"));
  CHECK_FALSE(bounded.output_scale());
}
