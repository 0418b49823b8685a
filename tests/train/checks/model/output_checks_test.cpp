
#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <handrail/handrail.h>
#include <handrail/train/checks/internal/model/output_checks.h>

#include "support/guard_runs.h"
#include "support/tasks.h"

using namespace handrail;
using train::RecordedStep;
using train::StepGraph;
using train::Task;

namespace {

using LossFunction = std::function<Tensor(const Tensor& predictions, const Tensor& targets)>;

// A recorded step with the gradient of its predictions.
struct Pulled {
  Pulled(const nn::Layer& model, const LossFunction& loss_of, const Tensor& y, Task task)
      : graph(model.parameters()), targets(y), kind(task) {
    Rng rng(3);
    inputs = normal({y.shape()[0], 8}, 0, 1, rng);
    Tape tape(Mode::train, {.seed = 1, .position = 0});
    tape.observe(&graph);
    predictions = model(inputs);
    loss = loss_of(predictions, targets);
    graph.keep_gradient_of(predictions);
    tape.backward(loss);
  }
  RecordedStep step() const { return {graph, loss, predictions, inputs, targets, kind}; }
  std::string pull() const { return name_of(check_pull(predictions, graph.kept_gradient(), targets, kind)); }
  std::string reach(const nn::Layer& model) const {
    const Tensor bias = output_bias(step());
    if (!bias.defined()) return "";
    return name_of(check_reach_of_outputs(step(), bias, [&] {
      const InferenceMode inference;
      return model(inputs);
    }));
  }

  StepGraph graph;
  Tensor inputs, predictions, loss, targets;
  Task kind;
};

Tensor labels(Index classes) {
  const Tensor y(Shape{64});
  for (Index i = 0; i < 64; ++i) y.mutable_data()[i] = static_cast<Scalar>(i % classes);
  return y;
}
Tensor column(const Tensor& y) { return y.view({y.size(), 1}); }
Tensor standardised_targets() {
  Rng rng(5);
  return normal({256, 1}, 0, 1, rng);
}

nn::Sequential network(Index outputs, std::uint64_t seed = 1) {
  Rng rng(seed);
  return nn::Sequential{nn::Linear{8, 16, rng}, nn::ReLU{}, nn::Linear{16, outputs, rng}};
}

struct Map : nn::Layer {
  explicit Map(std::function<Tensor(const Tensor&)> map) : map_(std::move(map)) {}
  Tensor forward(const Tensor& x) const override { return map_(x); }
  std::function<Tensor(const Tensor&)> map_;
};
nn::Sequential ending_in(std::function<Tensor(const Tensor&)> map) {
  nn::Sequential model = network(1);
  model.push_back(Map(std::move(map)));
  return model;
}

Tensor hinge(const Tensor& y, const Tensor& t) { return mean(relu(1.0 - y * t)); }
Tensor binary_loss(const Tensor& y, const Tensor& t) { return binary_cross_entropy_with_logits(y, t); }
Tensor ignoring_class_0(const Tensor& y, const Tensor& t) {
  const Tensor chosen = Tensor::zeros(y.shape());
  for (Index i = 0; i < t.size(); ++i)
    if (t.data()[i] != 0) chosen.mutable_data()[i * y.shape().cols() + static_cast<Index>(t.data()[i])] = 1;
  return sum(chosen * log_softmax(y)) * -0.01;
}

train::GradientOf gradient_of(const LossFunction& loss) {
  return [loss](const Tensor& predictions, const Tensor& targets) {
    predictions.set_requires_grad(true);
    Tape tape(Mode::train);
    tape.backward(loss(predictions, targets));
    return predictions.grad();
  };
}

// What is said of a loss for predictions that are all wrong.
std::string probed(const LossFunction& loss, const Shape& shape, const Tensor& t, Task task) {
  const Tensor wrong = train::wrong_predictions(shape, t, task);
  return name_of(train::check_pull(wrong, gradient_of(loss)(wrong, t), t, task));
}

}  // namespace

TEST_CASE("losses that pull predictions to their targets are silent") {
  const auto one = network(1), three = network(3);
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    CHECK(Pulled(network(3, seed), cross_entropy, labels(3), Task::multiclass).pull() == "");
    CHECK(Pulled(network(1, seed), binary_loss, column(labels(2)), Task::binary).pull() == "");
  }
  CHECK(Pulled(
            three, [](const Tensor& y, const Tensor& t) { return cross_entropy(y, t) * 1e-6; }, labels(3),
            Task::multiclass)
            .pull() == "");
  const auto signed_hinge = [](const Tensor& y, const Tensor& t) { return hinge(y, t * 2.0 - 1.0); };
  CHECK(Pulled(one, signed_hinge, column(labels(2)), Task::binary).pull() == "");
  CHECK(Pulled(one, mse_loss, column(labels(2)), Task::regression).pull() == "");
  CHECK(Pulled(one, mse_loss, standardised_targets(), Task::regression).pull() == "");
}

TEST_CASE("a class whose rows have no gradient is named") {
  CHECK(probed(ignoring_class_0, {64, 3}, labels(3), Task::multiclass) == "rows_ignored");
  CHECK(probed(hinge, {64, 1}, column(labels(2)), Task::binary) == "rows_ignored");
  CHECK(probed(cross_entropy, {64, 3}, labels(3), Task::multiclass) == "");
  CHECK(probed(binary_loss, {64, 1}, column(labels(2)), Task::binary) == "");
  CHECK(!train::wrong_predictions({256, 1}, standardised_targets(), Task::regression).defined());
  CHECK(probed(hinge, {64, 1}, column(labels(2)), Task::regression) == "rows_ignored");
  CHECK(Pulled(network(3), ignoring_class_0, labels(3), Task::multiclass).pull() == "rows_ignored");
}

TEST_CASE("a loss that pushes predictions away from their targets is named") {
  const auto three = network(3);
  const auto negated = [](const Tensor& y, const Tensor& t) { return 5.0 - cross_entropy(y, t); };
  CHECK(Pulled(three, negated, labels(3), Task::multiclass).pull() == "loss_sign");
  const auto half = [](const Tensor& y, const Tensor& t) { return mean(softplus(0.0 - y * (t + 0.5))); };
  CHECK(probed(half, {64, 1}, column(labels(2)), Task::binary) == "loss_mismatch");
}

TEST_CASE("a loss that weighs rows by how near their targets are to 0 is named, where targets have both signs") {
  const Tensor targets = standardised_targets();
  const auto name = [&](const LossFunction& loss, const Tensor& t) {
    return name_of(train::check_weighs_rows_alike(gradient_of(loss), t));
  };
  const auto relative = [](const Tensor& y, const Tensor& t) { return mean(square((y - t) / (abs(t) + 1e-3))); };
  const auto log_error = [](const Tensor& y, const Tensor& t) { return mean(square(log(y + 1.0) - log(t + 1.0))); };
  CHECK(name(relative, targets) == "loss_mismatch");
  CHECK(name([](const Tensor& y, const Tensor& t) { return mean(abs((y - t) / t)); }, targets) == "loss_mismatch");
  CHECK(name(relative, targets * 0.5 + 5.0) == "");
  CHECK(name(log_error, abs(targets) * 1000.0) == "");
  CHECK(name(mse_loss, targets) == "");
  CHECK(name([](const Tensor& y, const Tensor& t) { return mean(abs(y - t)); }, targets) == "");
  CHECK(name([](const Tensor& y, const Tensor& t) { return huber_loss(y, t); }, targets) == "");
  CHECK(name([](const Tensor& y, const Tensor& t) { return mean(exp(y) - y * t); }, targets) == "");
}

TEST_CASE("a loss that no scale changes is named, and one for a quantile is a note") {
  const Tensor targets = standardised_targets();
  const auto found = [&](const LossFunction& loss) { return train::check_wants_targets(gradient_of(loss), targets); };
  const auto correlation = [](const Tensor& y, const Tensor& t) {
    const Tensor a = y - mean(y), b = t - mean(t);
    return 1.0 - mean(a * b) / sqrt(mean(square(a)) * mean(square(b)) + 1e-6);
  };
  const auto quantile = [](double q) {
    return [q](const Tensor& y, const Tensor& t) { return mean(relu(t - y) * q + relu(y - t) * (1 - q)); };
  };
  REQUIRE(name_of(found(correlation)) == "loss_mismatch");
  CHECK(found(correlation)->severity == train::Severity::warning);
  REQUIRE(name_of(found(quantile(0.95))) == "loss_mismatch");
  CHECK(found(quantile(0.95))->severity == train::Severity::note);
  CHECK(contains(found(quantile(0.95))->evidence, "below the target counts 19"));
  CHECK_FALSE(found(quantile(0.5)));
  CHECK_FALSE(found(mse_loss));
  CHECK_FALSE(found([](const Tensor& y, const Tensor& t) { return huber_loss(y, t); }));
  CHECK_FALSE(found([](const Tensor& y, const Tensor& t) { return mean(exp(y) - y * t); }));
  CHECK_FALSE(found([](const Tensor& y, const Tensor& t) { return mean(clamp(square(y - t), 0, 1)); }));
}

TEST_CASE("a class whose rows hardly count is named, a rare class and balanced weights are not") {
  const auto found = [](const std::vector<double>& weights, const Tensor& t) {
    const auto loss = [&](const Tensor& y, const Tensor& target) {
      const Tensor chosen = Tensor::zeros(y.shape());
      for (Index i = 0; i < target.size(); ++i) {
        const auto label = static_cast<Index>(target.data()[i]);
        chosen.mutable_data()[i * y.shape().cols() + label] =
            static_cast<Scalar>(weights[static_cast<std::size_t>(label)]);
      }
      return sum(chosen * log_softmax(y)) * -0.01;
    };
    const Tensor wrong = train::wrong_predictions({t.size(), 3}, t, Task::multiclass);
    return name_of(train::check_weighs_classes(wrong, gradient_of(loss)(wrong, t), t, Task::multiclass));
  };
  CHECK(found({0.02, 5, 5}, labels(3)) == "rows_ignored");
  CHECK(found({1, 1, 1}, labels(3)) == "");
  CHECK(found({0.2, 1, 5}, labels(3)) == "");
  const Tensor rare(Shape{640});
  for (Index i = 0; i < 640; ++i) rare.mutable_data()[i] = static_cast<Scalar>(i % 64 == 0 ? 2 : i % 2);
  CHECK(found({1, 1, 1}, rare) == "");
  CHECK(found({1, 1, 50}, rare) == "");
}

TEST_CASE("outputs that cannot reach the targets are found by trial, whatever limits them") {
  const auto name = [](const nn::Sequential& model, const Tensor& t) {
    const Tensor before = model.parameters().back().tensor.clone();
    const std::string found = Pulled(model, mse_loss, t, Task::regression).reach(model);
    CHECK(std::ranges::equal(before.span(), model.parameters().back().tensor.span()));
    return found;
  };
  const Tensor targets = standardised_targets(), positive = abs(targets);
  CHECK(name(network(1), targets) == "");
  CHECK(name(ending_in([](const Tensor& y) { return exp(y); }), targets) == "output_range");
  CHECK(name(ending_in([](const Tensor& y) { return exp(y); }), positive) == "");
  CHECK(name(ending_in([](const Tensor& y) { return square(y); }), targets) == "output_range");
  CHECK(name(ending_in([](const Tensor& y) { return clamp(y, 0, 1); }), targets) == "output_range");
  CHECK(name(ending_in([](const Tensor& y) { return clamp(y, -5, 5); }), targets) == "");
  CHECK(name(ending_in([](const Tensor& y) { return 0.0 - relu(y); }), positive) == "output_range");
  CHECK(name(ending_in([](const Tensor& y) { return y * -1e-3; }), targets * 1000.0) == "");
  CHECK(name(ending_in([](const Tensor& y) { return tanh(y) * 5.0; }), targets) == "");
}

TEST_CASE("inputs of another scale in training than in evaluation are named, noise and dropout are not") {
  Rng rng(4);
  const Tensor x = normal({64, 8}, 0, 1, rng), mask = uniform(x.shape(), 0, 1, rng);
  for (Scalar& m : mask.mutable_span()) m = m < Scalar(0.6) ? 0 : 1;
  const auto name = [&](const Tensor& training) { return name_of(train::check_same_scale(training, x)); };
  CHECK(name(x) == "");
  CHECK(name(x * 255.0) == "train_eval_gap");
  CHECK(name(x * 0.5) == "train_eval_gap");
  CHECK(name(x * mask) == "train_eval_gap");
  CHECK(name(x * mask / 0.4) == "");
  CHECK(name(x + normal(x.shape(), 0, 2, rng)) == "");
  CHECK(name(normal(x.shape(), 0, 1, rng)) == "");  // rows in another order
  CHECK(name(x * 0.5 + normal(x.shape(), 0, 0.5, rng)) == "");
}

TEST_CASE(
    "a Trainer names a loss that leaves out a class, and inputs that only training scales, unless checks are off") {
  using namespace train;
  struct Scaled : Trainer {
    using Trainer::Trainer;
    StepOutput training_step(const Batch& batch) override {
      return Trainer::training_step({batch.inputs * factor, batch.targets});
    }
    double factor = 1;
  };
  const auto names = [](const Loss& loss, double factor, CheckOptions checks) {
    nn::Sequential model = small_model();
    Scaled trainer(model, loss, quiet({.epochs = 1, .lr = 1e-3, .checks = checks}));
    trainer.factor = factor;
    std::vector<std::string> found;
    for (const Anomaly& anomaly : trainer.fit(points(400)).anomalies) found.push_back(anomaly.name);
    return found;
  };
  const auto has = [](const std::vector<std::string>& all, const char* name) { return std::ranges::count(all, name); };
  const Loss careless(ignoring_class_0, Task::multiclass);
  CHECK(has(names(careless, 1, {}), "rows_ignored") == 1);
  CHECK(has(names(careless, 1, {.structure = off}), "rows_ignored") == 0);
  CHECK(has(names(cross_entropy, 1, {}), "train_eval_gap") == 0);
  CHECK(has(names(cross_entropy, 10, {}), "train_eval_gap") == 1);
}

TEST_CASE("a loss that falls without bound is named, bounded ones and the wrong sign are not") {
  const Tensor binary = Tensor({4}, {0, 1, 1, 0});
  const auto found = [&](const LossFunction& loss) {
    return train::check_bounded(
        [&](const Tensor& y) {
          const NoGrad values_only;
          return static_cast<double>(loss(y, binary).item());
        },
        binary.shape());
  };
  const auto exchanged = [](const Tensor& t, const Tensor& y) { return mean(softplus(y) - y * t); };
  REQUIRE(found(exchanged));
  CHECK(found(exchanged)->name == "loss_mismatch");
  CHECK(contains(found(exchanged)->cause, "exchanged"));
  CHECK_FALSE(found([&](const Tensor& y, const Tensor& t) { return exchanged(t, y); }));
  CHECK_FALSE(found(mse_loss));
  CHECK_FALSE(found([](const Tensor& y, const Tensor& t) { return 0.0 - mse_loss(y, t); }));  // loss_sign
  CHECK_FALSE(found([](const Tensor& y, const Tensor& t) { return mse_loss(y, t) - 5.0; }));
}
