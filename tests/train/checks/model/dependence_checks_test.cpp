#include <doctest/doctest.h>
#include <handrail/core/eigen.h>
#include <handrail/handrail.h>
#include <handrail/train/checks/internal/model/dependence_checks.h>
#include <handrail/train/checks/internal/model/gradient_checks.h>

using namespace handrail;
using namespace train;

namespace {

struct Example {
  Example() : model{nn::Linear{8, 16, rng}, nn::Tanh{}, nn::Linear{16, 3, rng}} {
    batch = {normal({33, 8}, 0, 1, rng), Tensor(Shape{33})};
    for (Index i = 0; i < 33; ++i) batch.targets.mutable_data()[i] = static_cast<Scalar>(i % 3);
  }
  train::Predict predict() const {
    return [this](const Tensor& x) { return model(x); };
  }
  train::LossOf loss() const {
    return [this](const Batch& b) { return static_cast<double>(cross_entropy(model(b.inputs), b.targets).item()); };
  }
  Rng rng{1};
  nn::Sequential model;
  Batch batch;
};

}  // namespace

TEST_CASE("a usual model depends on what it should depend on") {
  const Example e;
  CHECK(!check_rows_apart(e.predict(), e.batch.inputs));
  CHECK(!check_uses_inputs(e.predict(), e.batch.inputs));
  CHECK(!check_uses_targets(e.loss(), e.predict(), e.batch));
  CHECK(!check_is_mean(e.loss(), e.batch));
}

TEST_CASE("a softmax over the samples mixes them") {
  const Example e;
  const auto wrong = [&](const Tensor& x) { return transpose(softmax(transpose(e.model(x)))); };
  const auto found = check_rows_apart(wrong, e.batch.inputs);
  REQUIRE(found);
  CHECK(found->name == "rows_mixed");
}

TEST_CASE("a model that does not use its inputs and a loss that does not use the targets are reported") {
  const Example e;
  const auto constant = [](const Tensor& x) { return Tensor::full({x.shape()[0], 3}, 2); };
  CHECK(check_uses_inputs(constant, e.batch.inputs));
  CHECK(!check_uses_inputs([](const Tensor& x) { return Tensor::zeros({x.shape()[0], 3}); }, e.batch.inputs));
  const auto careless = [&](const Batch& b) { return static_cast<double>(mean(square(e.model(b.inputs))).item()); };
  CHECK(check_uses_targets(careless, e.predict(), e.batch));
}

TEST_CASE("a loss of mean predictions and mean targets mixes the rows") {
  const Example e;
  const auto of_means = [&](const Batch& b) {
    return static_cast<double>(
        mse_loss(mean(mean(e.model(b.inputs), 1, true), 0, true), mean(b.targets, 0, true)).item());
  };
  Batch batch = e.batch;
  batch.targets = batch.targets.view({33, 1});
  const auto found = check_uses_targets(of_means, e.predict(), batch);
  REQUIRE(found);
  CHECK(found->name == "rows_mixed");
}

TEST_CASE("a model that uses fewer than half of its columns is reported") {
  const Example e;
  const auto part = [&](Index used) {
    return [&e, used](const Tensor& x) {
      const Tensor mask = Tensor::zeros({8});
      for (Index j = 0; j < used; ++j) mask.mutable_data()[j] = 1;
      return e.model(x * mask);
    };
  };
  CHECK(check_uses_inputs(part(3), e.batch.inputs));
  CHECK(!check_uses_inputs(part(4), e.batch.inputs));
}

TEST_CASE("a loss that is computed along the samples is reported") {
  const Example e;
  const auto wrong = [&](const Batch& b) {
    return static_cast<double>(-mean(log_softmax(transpose(e.model(b.inputs)))).item());
  };
  const auto found = check_is_mean(wrong, e.batch);
  REQUIRE(found);
  CHECK(found->name == "rows_mixed");
}

TEST_CASE("a validation step that does not use its batch is reported") {
  const Example e;
  CHECK(check_validation([](const Batch&) { return 0.25; }, e.loss(), e.batch));
  CHECK(!check_validation(e.loss(), e.loss(), e.batch));
}

TEST_CASE("a validation step with random numbers is reported, as a note when they hardly count") {
  const Example e;
  for (const double size : {0.1, 0.001, 1e-6}) {
    int calls = 0;
    const auto found = check_validation([&](const Batch&) { return 1 + size * ++calls; }, e.loss(), e.batch);
    CHECK((found && found->name == "random_evaluation") == (size > 1e-4));
    if (found) CHECK((found->severity == train::Severity::warning) == (size == 0.1));
  }
}

TEST_CASE("predictions that differ between training and evaluation are reported") {
  const Example e;
  const Tensor y = e.model(e.batch.inputs);
  CHECK(!check_same_predictions(y, y));
  CHECK(check_same_predictions(y * 2.0, y));
}

TEST_CASE("an evaluation that is random is reported") {
  const Example e;
  int calls = 0;
  CHECK(check_repeatable([&](const Tensor& x) { return e.model(x) * (1.0 + 0.1 * ++calls); }, e.batch.inputs));
  CHECK(!check_repeatable(e.predict(), e.batch.inputs));
}

TEST_CASE("a loss of the first samples only is reported") {
  const Example e;
  const auto first = [&](const Batch& b) {
    const Tensor logits = e.model(b.inputs).view({b.inputs.shape()[0] * 3});
    return static_cast<double>(logits.at({0}));
  };
  const auto found = check_is_mean(first, e.batch);
  REQUIRE(found);
  CHECK(found->name == "rows_ignored");
}

TEST_CASE("a loss that is a sum over the samples is reported") {
  const Example e;
  const auto summed = [&](const Batch& b) {
    return static_cast<double>(b.targets.size()) *
           static_cast<double>(cross_entropy(e.model(b.inputs), b.targets).item());
  };
  const auto found = check_is_mean(summed, e.batch);
  REQUIRE(found);
  CHECK(found->name == "sum_loss");
  const auto constant = [](const Batch&) { return 0.0; };
  CHECK(!check_is_mean(constant, e.batch));
}

namespace {

// The square of each element, with a gradient that is `factor` times the right one.
Tensor faulty(const Tensor& x, double factor) {
  Tensor y;
  {
    const NoGrad values_only;
    y = square(x);
  }
  return Tape::record("faulty", {x}, y, [x, factor](const Backward& b) { b[0] += b.output_grad() * x * (2 * factor); });
}

std::optional<train::Anomaly> gradient_found(double factor) {
  const Example e;
  const auto loss_of = [&] { return cross_entropy(faulty(e.model(e.batch.inputs), factor), e.batch.targets); };
  double at = 0;
  {
    Tape tape;
    const Tensor loss = loss_of();
    at = static_cast<double>(loss.item());
    tape.backward(loss);
  }
  const auto parameters = e.model.parameters();
  const Tensor before = parameters[0].tensor.clone();
  auto found = check_gradient(
      parameters, [&] { return static_cast<double>(loss_of().item()); }, at);
  for (Index i = 0; i < before.size(); ++i) CHECK(before.data()[i] == parameters[0].tensor.data()[i]);
  return found;
}

}  // namespace

TEST_CASE("a gradient that does not belong to its loss is reported, and weights stay as they are") {
  CHECK(!gradient_found(1));
  CHECK(gradient_found(-1));
  CHECK(gradient_found(0.5));
  CHECK(gradient_found(3));
}
