#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <handrail/core/error.h>
#include <handrail/core/random.h>
#include <handrail/train/checks/internal/outcome/prediction_checks.h>

#include "support/check_throws.h"
#include "train/checks/outcome/predicted.h"

using namespace handrail;
using namespace predicted;
using train::check_initial_loss;
using train::diagnose_baseline;
using train::Task;

TEST_CASE("a first loss far above that of a guess is reported") {
  CHECK(!check_initial_loss(std::log(10.0), Task::multiclass, 10));
  CHECK(!check_initial_loss(4.7, Task::multiclass, 10));
  CHECK(!check_initial_loss(0.01, Task::multiclass, 10));  // a model that was trained before
  CHECK(!check_initial_loss(3.9, Task::multiclass, 3));
  CHECK(!check_initial_loss(0.7, Task::binary));
  CHECK(!check_initial_loss(1e6, Task::regression));
  CHECK(!check_initial_loss(std::log(1000.0) * 1.9, Task::multiclass, 1000));
  CHECK(check_initial_loss(6, Task::binary));
  CHECK(check_initial_loss(std::numeric_limits<double>::infinity(), Task::multiclass, 10));
  const auto found = check_initial_loss(24, Task::multiclass, 10);
  REQUIRE(found);
  CHECK(found->name == "initial_loss");
  CHECK(found->evidence == "loss 24 before training; guessing gives 2.3");
}

TEST_CASE("a high first loss is blamed on the output bias when the outputs hardly differ between samples") {
  const Tensor far({4, 1}, {50.0f, 50.5f, 49.5f, 50.2f}), wide({4, 1}, {30.0f, -40.0f, 10.0f, -20.0f});
  CHECK(check_initial_loss(25, Task::binary, 2, far)->remedy == "start the bias at 0");
  CHECK(check_initial_loss(25, Task::binary, 2, far)->details.find("differ by 0.") != std::string::npos);
  CHECK(check_initial_loss(12, Task::binary, 2, wide)->remedy.find("Standardize") != std::string::npos);
}

TEST_CASE("logits that ignore the inputs are no better than the class frequencies") {
  const auto p = classify(10, 0.2, 0, 3);
  CHECK(!diagnose_baseline(p.logits, p.targets, Task::multiclass));
  const auto found = diagnose_baseline(Tensor::zeros({400, 10}), p.targets, Task::multiclass);
  REQUIRE(found);
  CHECK(found->name == "no_better_than_baseline");
  CHECK(found->evidence.find("the loss is 2.303") == 0);
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Rng rng(seed);
    CHECK(diagnose_baseline(normal({400, 10}, 0, 0.02, rng), p.targets, Task::multiclass));
  }
  // A frequent class is not knowledge of the inputs either.
  const Tensor skewed(Shape{100}), constant(Shape{100, 2});
  for (Index i = 0; i < 100; ++i) {
    skewed.mutable_data()[i] = i % 10 == 0 ? 1 : 0;
    constant.mutable_data()[2 * i] = Scalar(std::log(9.0));
    constant.mutable_data()[2 * i + 1] = 0;
  }
  CHECK(diagnose_baseline(constant, skewed, Task::multiclass));
}

TEST_CASE(
    "predictions that are worse than guesses are below chance, and those of a model that ignores its inputs not") {
  const auto p = classify(10, 0.2, 0, 3);
  CHECK(!diagnose_chance(p.logits, p.targets, Task::multiclass));
  CHECK(!diagnose_chance(Tensor::zeros({400, 10}), p.targets, Task::multiclass));
  for (Scalar& logit : p.logits.mutable_span()) logit = -logit;
  const auto found = diagnose_chance(p.logits, p.targets, Task::multiclass);
  REQUIRE(found);
  CHECK(found->name == "below_chance");
  CHECK(found->evidence.find("; guessing gives 0.1") != std::string::npos);
  CHECK(found->cause.find("a loss with the wrong sign") == 0);
  const Tensor logits(Shape{20, 1}), targets(Shape{20, 1});
  for (Index i = 0; i < 20; ++i) {
    targets.mutable_data()[i] = static_cast<Scalar>(i % 2);
    logits.mutable_data()[i] = static_cast<Scalar>(i % 2 == 0 ? 1 : -1);
  }
  CHECK(diagnose_chance(logits, targets, Task::binary));
  CHECK(!diagnose_chance(logits, targets, Task::regression));
  check_throws<ShapeError>([&] { diagnose_chance(logits, Tensor::zeros({20, 2}), Task::binary); }, "diagnose_chance");
}

TEST_CASE("an overconfident model of good accuracy is better than the baseline, whatever its loss") {
  const auto p = classify(10, 0.2, 0, 3);
  for (Scalar& logit : p.logits.mutable_span()) logit *= 100;
  CHECK(!diagnose_baseline(p.logits, p.targets, Task::multiclass));
}

TEST_CASE("binary and regression predictions have their baselines") {
  Rng rng(9);
  const Index n = 200;
  const Tensor values = normal({n, 2}, 5, 2, rng), near = values.clone(), classes(Shape{n, 2}), logits(Shape{n, 2});
  for (Index i = 0; i < values.size(); ++i) {
    near.mutable_data()[i] += static_cast<Scalar>(rng.normal());
    classes.mutable_data()[i] = values.data()[i] > 6 ? 1 : 0;
    logits.mutable_data()[i] = 3 * (near.data()[i] - 6);
  }
  CHECK(!diagnose_baseline(near, values, Task::regression));
  CHECK(!diagnose_baseline(logits, classes, Task::binary));
  const auto regression = diagnose_baseline(Tensor::full({n, 2}, 5), values, Task::regression);
  REQUIRE(regression);
  CHECK(regression->evidence.find("predicting the mean") != std::string::npos);
  const auto binary = diagnose_baseline(Tensor::full({n, 2}, Scalar(-0.8)), classes, Task::binary);
  REQUIRE(binary);
  CHECK(binary->evidence.find("class frequencies") != std::string::npos);
}

TEST_CASE("there is no baseline to beat for few samples, equal targets, or logits that are not finite") {
  CHECK(!diagnose_baseline(Tensor::zeros({9, 1}), Tensor::ones({9, 1}), Task::regression));
  CHECK(!diagnose_baseline(Tensor::zeros({50, 1}), Tensor::ones({50, 1}), Task::regression));
  CHECK(!diagnose_baseline(Tensor::zeros({50, 3}), Tensor::ones({50}), Task::multiclass));
  CHECK(!diagnose_baseline(Tensor::full({50, 3}, not_a_number), Tensor::ones({50}), Task::multiclass));
  check_throws<ShapeError>(
      [] {
        diagnose_baseline(Tensor::zeros({50, 3}), Tensor::ones({50, 1}), Task::regression);
      },
      "same shape", "[50, 3]");
}

TEST_CASE("a useless model is blamed on the labels when the inputs do not tell them") {
  const auto p = classify(4, 0.2, 0, 3);
  const auto found = [&](std::optional<double> signal) {
    std::string names;
    for (const auto& anomaly : train::diagnose(Tensor::zeros({400, 4}), p.targets, Task::multiclass, true, {}, signal))
      names += anomaly.name + " ";
    return names;
  };
  CHECK(found(0.5) == "labels_shuffled no_better_than_baseline ");
  CHECK(found(20) == "no_better_than_baseline ");
  CHECK(found(std::nullopt) == "no_better_than_baseline ");
}

TEST_CASE("a rare class that is never predicted, but told by the order of the logits, is a note") {
  Rng rng(3);
  const Tensor logits(Shape{300, 1}), targets(Shape{300, 1});
  for (Index i = 0; i < 300; ++i) {
    targets.mutable_data()[i] = i % 12 == 0 ? 1 : 0;
    logits.mutable_data()[i] = static_cast<Scalar>((i % 12 == 0 ? -6.0 : -8.0) + 0.5 * rng.normal());
  }
  const auto found = train::diagnose(logits, targets, Task::binary, true, {}, 20);
  REQUIRE(found.size() == 1);
  CHECK(found[0].name == "no_better_than_baseline");
  CHECK(found[0].severity == train::Severity::note);
}
