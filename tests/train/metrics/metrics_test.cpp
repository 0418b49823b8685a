#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "support/check_throws.h"
#include "support/files.h"
#include "support/tasks.h"

using namespace handrail;
using train::MonitorMode;
using train::off;
using train::Task;
using train::TrainerOptions;

namespace {

struct Identity : nn::Layer {
  Tensor forward(const Tensor& x) const override { return x; }
};

// The metric of one's own that the comment of MetricState and the README show.
struct Mape {
  std::string name() const { return "mape"; }
  void add(const Tensor& predictions, const Tensor& targets) {
    for (Index i = 0; i < targets.size(); ++i, ++count)
      sum += std::abs(1 - static_cast<double>(predictions.data()[i] / targets.data()[i]));
  }
  double result() const { return 100 * sum / static_cast<double>(count); }
  double sum = 0;
  Index count = 0;
};
static_assert(train::MetricState<Mape>);

// A fixed figure, which a hook can change between evaluations.
struct Fixed {
  std::string label;
  const double* value;
  std::string name() const { return label; }
  void add(const Tensor&, const Tensor&) {}
  double result() const { return *value; }
};

struct NoConstResult {
  std::string name() const { return "bad"; }
  void add(const Tensor&, const Tensor&) {}
  double result() { return 0; }
};
static_assert(!train::MetricState<NoConstResult>);
static_assert(!train::MetricState<train::Confusion>);  // has no single result

train::Evaluation evaluate(train::Loss loss, const Tensor& predictions, const Tensor& targets,
                           std::vector<train::Metric> metrics = {}) {
  Identity model;
  TrainerOptions options = quiet({.epochs = 1});
  options.metrics = std::move(metrics);
  train::Trainer trainer{model, std::move(loss), options};
  return trainer.evaluate(train::TensorDataset(predictions, targets));
}

template <class M>
double measure(M metric, const Tensor& predictions, const Tensor& targets) {
  metric.add(predictions, targets);
  return metric.result();
}

// y = 10 + x1 + x2 of the points: far from zero, which Mape divides by.
train::TensorDataset heights(Index count, std::uint64_t seed = 1) {
  const auto data = points(count, seed);
  const Tensor targets(Shape{count, 1});
  for (Index i = 0; i < count; ++i)
    targets.mutable_data()[i] = 10 + data.inputs().at({i, 0}) + data.inputs().at({i, 1});
  return {data.inputs(), targets};
}

nn::Sequential one_output(std::uint64_t seed = 1) {
  Rng rng(seed);
  return nn::Sequential{nn::Linear{2, 16, rng}, nn::ReLU{}, nn::Linear{16, 1, rng}};
}

// Returns another number of rows than it was given.
struct Doubling : nn::Layer {
  Tensor forward(const Tensor& x) const override {
    const Tensor y(Shape{2 * x.shape()[0], 1});
    for (Index i = 0; i < y.size(); ++i) y.mutable_data()[i] = x.data()[i % x.size()];
    return y;
  }
};

// Predictions of two columns for a batch with ones, of three for another.
struct Widening : nn::Layer {
  Tensor forward(const Tensor& x) const override {
    return Tensor::zeros({x.shape()[0], x.data()[0] > 0 ? Index{2} : Index{3}});
  }
};

}  // namespace

TEST_CASE("the accuracy of several labels a row is the mean over all elements, and never above 1") {
  const Tensor logits({2, 4}, {1, 1, -1, -1, 2, -2, 2, -2}), targets({2, 4}, {1, 1, 0, 0, 1, 1, 0, 0});
  CHECK(evaluate(binary_cross_entropy_with_logits, logits, targets).accuracy() == 0.75);
  CHECK(evaluate(binary_cross_entropy_with_logits, logits, Tensor({2, 4}, {1, 1, 0, 0, 1, 0, 1, 0})).accuracy() == 1);
  // Of several labels there is no confusion matrix.
  check_throws<MetricError>([&] { evaluate(binary_cross_entropy_with_logits, logits, targets).confusion(); },
                            "loss, accuracy");
}

TEST_CASE("a soft binary target above 0.5 is class 1") {
  const Tensor logits({4, 1}, {-1, -1, 1, 1}), targets({4, 1}, {Scalar(0.3), Scalar(0.7), Scalar(0.7), Scalar(0.5)});
  const auto evaluation = evaluate(binary_cross_entropy_with_logits, logits, targets, {train::F1{}});
  CHECK(evaluation.accuracy() == 0.5);
  CHECK(evaluation.confusion().count(0, 0) == 1);
  CHECK(evaluation.confusion().count(1, 0) == 1);
  CHECK(evaluation.metric("f1") == doctest::Approx(0.5));
}

TEST_CASE("a target that is not a class is named by its row, whatever the loss") {
  // A loss of one's own, which looks at nothing.
  const auto own = [](const Tensor& predictions, const Tensor&) { return mean(predictions); };
  const Tensor logits = Tensor::zeros({80, 3});
  for (const Scalar bad : {Scalar(-1), Scalar(3), Scalar(0.5), nan_value}) {
    const Tensor targets = Tensor::zeros({80});
    targets.mutable_data()[57] = bad;
    const train::TensorDataset data(logits, targets, {.check_finite = false});
    Identity model;
    train::Trainer trainer{model, train::Loss(own, Task::multiclass), quiet({.epochs = 1})};
    check_throws<DataError>([&] { trainer.evaluate(data); }, "row 57 of the evaluated set",
                            "want a class in [0, 3) as a whole number");
    check_throws<DataError>([&] { measure(train::F1{}, logits, targets); }, "f1: want a class", "row 57");
    check_throws<DataError>([&] { train::Confusion().add(logits, targets); }, "Confusion: want a class", "row 57");
    check_throws<DataError>([&] { train::count_correct(Task::multiclass, logits, targets); }, "accuracy", "row 57");
  }
  check_throws<DataError>(
      [&] {
        measure(train::Auc{}, Tensor::zeros({2}), Tensor({2}, {0, 2}));
      },
      "auc: want targets in [0, 1]; got 2 in row 1");
}

TEST_CASE("an evaluation says why it has no accuracy, and which metrics it has") {
  const Tensor values({3, 1}, {1, 2, 3});
  const auto evaluation = evaluate(mse_loss, values, values, {train::R2{}, Mape{}});
  CHECK(evaluation.metric("r2") == 1);
  CHECK(evaluation.metric("mape") == 0);
  check_throws<MetricError>([&] { evaluation.accuracy(); }, "want an accuracy; there is loss, r2, mape",
                            "a regression has none", "Loss{loss, Task::multiclass}");
  check_throws<MetricError>([&] { evaluation.metric("f1"); }, "want a metric 'f1'; there is loss, r2, mape",
                            ".metrics = {train::F1{}}");
  check_throws<MetricError>([&] { evaluation.confusion(); }, "want a confusion matrix");
  check_throws<MetricError>([] { train::Evaluation().accuracy(); }, "nothing, as there was no evaluation");
}

TEST_CASE("predictions of another number of rows are refused before anything is counted") {
  Doubling model;
  const train::TensorDataset data(Tensor::zeros({6, 1}), Tensor::zeros({6, 1}));
  const auto own = [](const Tensor& predictions, const Tensor&) { return mean(predictions); };
  train::Trainer binary{model, train::Loss(own, Task::binary), quiet({.epochs = 1})};
  check_throws<ShapeError>([&] { binary.evaluate(data); }, "a row of predictions for each sample",
                           "predictions [2, 1], inputs [1, 1]");
  TrainerOptions options = quiet({.epochs = 1});
  options.metrics = {train::Mae{}};
  train::Trainer regression{model, own, options};
  check_throws<ShapeError>([&] { regression.evaluate(data); }, "predictions [2, 1], inputs [1, 1]");
  check_throws<ShapeError>([&] { regression.predict(data); }, "predict: want a row of outputs for each sample");
}

TEST_CASE("batches whose predictions differ in shape are not put together") {
  Widening model;
  const Tensor inputs = Tensor::full({60, 1}, 1);
  inputs.mutable_data()[58] = 0;
  const Tensor other_first = Tensor::zeros({60, 1});
  other_first.mutable_data()[58] = 1;
  for (const Tensor& x : {inputs, other_first}) {  // wider at the end, and narrower
    const train::TensorDataset data(x, Tensor::zeros({60}));
    train::Trainer trainer{model, cross_entropy, quiet({.epochs = 1})};
    check_throws<ShapeError>([&] { trainer.predict(data); }, "predict: want outputs of the same shape for each sample",
                             "[2]", "[3]");
    check_throws<ShapeError>([&] { trainer.evaluate(data); }, "evaluate: want predictions of the same shape", "[2]",
                             "[3]");
  }
}

TEST_CASE("a run ends well whose predictions on the validation set differ in shape from batch to batch") {
  struct Padding : Hooked {
    using Hooked::Hooked;
    train::StepOutput validation_step(const train::Batch& batch) override {
      return {.loss = Trainer::training_step(batch).loss,
              .predictions = Tensor::zeros({batch.inputs.shape()[0], ++calls % 2 + 1})};
    }
    Index calls = 0;
  };
  Rng rng(1);
  nn::Linear model{2, 1, rng};
  const train::TensorDataset data(normal({100, 2}, 0, 1, rng), Tensor::zeros({100, 1}));
  Padding trainer{model, mse_loss, quiet({.epochs = 1, .lr = 0.01})};
  CHECK(trainer.fit(data).reason == train::StopReason::finished);
}

TEST_CASE("metrics need predictions") {
  struct Silent : train::Trainer {
    using Trainer::Trainer;
    train::StepOutput validation_step(const train::Batch& batch) override {
      return {.loss = training_step(batch).loss};
    }
  };
  auto model = small_model();
  TrainerOptions options = quiet({.epochs = 1});
  options.metrics = {train::F1{}, train::Recall{}};
  Silent trainer{model, cross_entropy, options};
  check_throws<MetricError>([&] { trainer.evaluate(points(40)); }, "'f1', 'recall'", "StepOutput::predictions");
  options.metrics = {};
  Silent without{model, cross_entropy, options};
  CHECK_FALSE(without.evaluate(points(40)).measured_accuracy);
}

TEST_CASE("a metric of the user decides which weights are the best") {
  auto model = one_output();
  TrainerOptions options = quiet({.epochs = 12, .lr = 0.02, .checks = {.input_scale = off}});
  options.metrics = {Mape{}, train::R2{}};
  options.monitor = "val_mape";
  Hooked trainer{model, mse_loss, options};
  double least = 1e300;
  trainer.validation_end = [&](const train::EvaluationStats& stats) {
    CHECK(stats.monitored == stats.evaluation.metric("mape"));
    least = std::min(least, stats.monitored);
  };
  const auto validation = heights(90, 2);
  const auto result = trainer.fit(heights(200), validation);
  REQUIRE(result.best);
  CHECK(result.best->value == least);
  CHECK(result.best->value == result.best->evaluation.metric("mape"));
  CHECK(result.best_restored);
  CHECK(trainer.evaluate(validation).metric("mape") == result.best->value);
}

TEST_CASE("val_f1 of validation rows sorted by class is the F1 of all of them") {
  auto model = small_model();
  const auto shuffled = points(600, 2);
  auto rows = train::all_rows(shuffled);
  std::ranges::stable_sort(rows, {}, [&](Index row) { return shuffled.targets().data()[row]; });
  const train::Subset sorted(std::make_shared<train::TensorDataset>(shuffled), rows);
  TrainerOptions options = quiet({.epochs = 5, .lr = 0.01, .monitor = "val_f1", .mode = MonitorMode::max});
  options.metrics = {train::F1{}};
  train::Trainer trainer{model, cross_entropy, options};
  const auto result = trainer.fit(points(400), sorted);
  REQUIRE(result.best);
  CHECK(result.best->value > 0.9);
  CHECK_FALSE(result.best->evaluation.measured_confusion);
  CHECK(trainer.evaluate(shuffled).metric("f1") == result.best->value);
  const train::Confusion confusion = trainer.evaluate(sorted).confusion();
  const auto right = static_cast<double>(confusion.count(1, 1));
  CHECK(result.best->value ==
        doctest::Approx(2 * right / (2 * right + static_cast<double>(confusion.count(0, 1) + confusion.count(1, 0)))));
}

TEST_CASE("a metric that does not suit the predictions is an error before the first step") {
  auto model = small_model();
  TrainerOptions options = quiet({.epochs = 3});
  options.metrics = {train::R2{}};
  Hooked trainer{model, cross_entropy, options};
  trainer.step_start = [](std::int64_t) { FAIL_CHECK("no step is to be made"); };
  check_throws<ShapeError>([&] { trainer.fit(points(100)); }, "r2: want predictions and targets of the same shape");
}

TEST_CASE("names of metrics are checked, and so is the mode of those whose direction is known") {
  const double value = 0.5;
  const auto refuse = [&](std::vector<train::Metric> metrics, const char* text) {
    TrainerOptions options{.epochs = 1};
    options.metrics = std::move(metrics);
    check_throws<OptionError>([&] { train::validate(options); }, "TrainerOptions:", text);
  };
  refuse({train::F1{}, train::Auc{}, train::F1{}}, "got 'f1' twice");
  refuse({Fixed{"loss", &value}}, "got 'loss'");
  refuse({Fixed{"accuracy", &value}}, "got 'accuracy'");
  refuse({Fixed{"", &value}}, "want metrics with names");
  TrainerOptions options{.epochs = 1};
  options.metrics = {train::F1{}, train::F1{.average = train::Average::macro}};
  train::validate(options);
  for (const char* name : {"val_f1", "val_f1_macro", "val_precision", "val_recall_micro", "val_auc", "val_r2"}) {
    options.monitor = name;
    options.mode = MonitorMode::min;
    check_throws<OptionError>([&] { train::validate(options); }, "mode = max with monitor", name);
  }
  for (const char* name : {"val_mae", "val_mse", "val_rmse"}) {
    options.monitor = name;
    options.mode = MonitorMode::max;
    check_throws<OptionError>([&] { train::validate(options); }, "mode = min with monitor", name);
  }
  options.monitor = "val_f1_error";  // one's own, of which nothing is known
  train::validate(options);

  struct Naming : train::Trainer {
    using Trainer::Trainer;
    train::StepOutput validation_step(const train::Batch& batch) override {
      train::StepOutput out = training_step(batch);
      out.metrics = {{"f1", 1}};
      return out;
    }
  };
  auto model = small_model();
  TrainerOptions twice = quiet({.epochs = 1});
  twice.metrics = {train::F1{}};
  Naming trainer{model, cross_entropy, twice};
  check_throws<OptionError>([&] { trainer.evaluate(points(40)); }, "'f1'", "StepOutput::metrics");
}

TEST_CASE("an undefined AUC does not end the run, and its evaluation is never the best") {
  Rng rng(1);
  nn::Sequential model{nn::Linear{2, 1, rng}};
  const auto data = points(200);
  const Tensor column = data.targets().view({200, 1});
  TrainerOptions options = quiet({.epochs = 2, .lr = 0.01, .monitor = "val_auc", .mode = MonitorMode::max});
  options.metrics = {train::Auc{}};
  train::Trainer trainer{model, binary_cross_entropy_with_logits, options};
  const train::TensorDataset one_class(data.inputs(), Tensor::zeros({200, 1}));
  const auto result = trainer.fit(train::TensorDataset(data.inputs(), column), one_class);
  CHECK_FALSE(result.best);
  REQUIRE(find_anomaly(result, "non_finite_metric"));
  CHECK(contains(find_anomaly(result, "non_finite_metric")->cause, "an AUC needs both classes"));
}

TEST_CASE("metrics of degenerate data are 0, 1 or NaN as documented") {
  const Tensor none({3}, {-1, -1, -1}), zeros({3}, {0, 0, 0}), ones({3}, {1, 1, 1});
  CHECK(measure(train::F1{}, none, zeros) == 0);  // 0 / 0
  CHECK(measure(train::Precision{}, none, ones) == 0);
  CHECK(measure(train::Recall{}, none, ones) == 0);
  CHECK(std::isnan(measure(train::Auc{}, none, ones)));
  CHECK(std::isnan(measure(train::Auc{}, Tensor({2}, {nan_value, 1}), Tensor({2}, {0, 1}))));
  CHECK(measure(train::Auc{}, none, Tensor({3}, {0, 1, 0})) == 0.5);  // all equal
  CHECK(measure(train::R2{}, ones, ones) == 1);
  CHECK(measure(train::R2{}, zeros, ones) == 0);  // nothing to explain, and not explained
  CHECK(std::isnan(measure(train::R2{}, Tensor({1}, {1}), Tensor({1}, {1}))));
  for (const double empty : {train::F1{}.result(), train::Auc{}.result(), train::R2{}.result(), train::Mae{}.result(),
                             train::Rmse{}.result(), train::Confusion{}.accuracy()})
    CHECK(std::isnan(empty));
  // Far from zero: a variance as the difference of two large sums would lose all digits.
  const Tensor far({4}, {16777208, 16777210, 16777212, 16777214}), near({4}, {16777209, 16777211, 16777211, 16777213});
  CHECK(measure(train::R2{}, near, far) == doctest::Approx(0.8).epsilon(1e-12));
}

TEST_CASE("several class indices a row are counted one by one") {
  const Tensor logits({2, 2, 2}, {1, 0, 1, 0, 0, 1, 0, 1}), classes({2, 2}, {0, 1, 1, 1});
  CHECK(train::count_correct(Task::multiclass, logits, classes) == 3);
  CHECK(measure(train::F1{}, logits, classes) == doctest::Approx(0.8));  // of class 1: 2 right, 2 predicted, 3 there
}

TEST_CASE("metrics refuse shapes that do not fit, and a batch with other classes or columns than before") {
  const Tensor two = Tensor::zeros({4, 2}), three = Tensor::zeros({4, 3}), classes = Tensor::zeros({4});
  check_throws<ShapeError>([&] { measure(train::F1{}, two, three); }, "f1: want predictions [N, C] and targets [N]",
                           "[4, 2] and [4, 3]");
  check_throws<ShapeError>([&] { measure(train::Auc{}, three, classes); }, "auc: want two classes", "[4, 3] and [4]");
  check_throws<ShapeError>([&] { measure(train::Auc{}, two, two); }, "auc: want two classes");
  check_throws<ShapeError>([&] { measure(train::Mae{}, two, classes); }, "mae: want predictions and targets");
  check_throws<ShapeError>([&] { train::Confusion().add(two, two); }, "one label a row");
  train::F1 f1;
  f1.add(three, classes);
  check_throws<ShapeError>([&] { f1.add(two, classes); }, "3 classes", "as before; got 2");
  train::R2 r2;
  r2.add(three, three);
  check_throws<ShapeError>([&] { r2.add(two, two); }, "3 values a row as before; got 2");
  train::Confusion confusion;
  confusion.add(three, classes);
  check_throws<ShapeError>([&] { confusion.add(two, classes); }, "3 classes as before; got 2");
  check_throws<OptionError>([&] { confusion.count(0, 3); }, "classes in [0, 3); got 0 and 3");
}

TEST_CASE("a confusion matrix prints as a table") {
  train::Confusion confusion;
  confusion.add(Tensor({12}, {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1}),
                Tensor({12}, {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1}));
  CHECK(confusion.text() ==
        "true \\ predicted\n"
        "       0   1\n"
        "   0   1   0\n"
        "   1   1  10\n");
}

TEST_CASE("a metric is a value: a copy counts on its own") {
  train::Metric first = train::Mae{};
  first.add(Tensor({1}, {1}), Tensor({1}, {0}));
  train::Metric second = first;
  second.add(Tensor({1}, {3}), Tensor({1}, {0}));
  CHECK(first.result() == 1);
  CHECK(second.result() == 2);
  first = second;
  CHECK(first.result() == 2);
  CHECK(first.name() == "mae");
}

TEST_CASE("the summary names the metrics, and says when nothing measures them") {
  auto model = small_model();
  TrainerOptions options = quiet({.epochs = 1, .lr = 0.01});
  const auto line = [&] {
    train::Trainer trainer{model, cross_entropy, options};
    const auto result = trainer.fit(points(100));
    for (const auto& item : result.summary)
      if (item.name == "metrics") return item;
    return train::SummaryItem{};
  };
  CHECK(line().name.empty());
  options.metrics = {train::F1{}, train::Auc{}};
  CHECK(line().value == "f1, auc, each over a whole evaluation");
  CHECK_FALSE(line().off);
  options.validation_split = off;
  CHECK(line().off);
}
