#include <cmath>
#include <limits>
#include <vector>

#include <doctest/doctest.h>
#include <handrail/core/error.h>
#include <handrail/core/random.h>
#include <handrail/train/checks/internal/prediction_checks.h>

#include "support/check_throws.h"

using namespace handrail;
using train::check_initial_loss;
using train::diagnose_baseline;
using train::diagnose_labels;
using train::Task;

namespace {

struct Predicted {
  Tensor logits, targets;
};

// A model that knows the true class, with its neighbour as second choice, and takes the neighbour in
// a share of the rows; the targets are the true classes but for a share of random ones.
Predicted classify(Index classes, double mistakes, double random_labels, std::uint64_t seed, Index rows = 400) {
  Rng rng(seed);
  const auto count = static_cast<std::uint64_t>(classes);
  Predicted p{normal({rows, classes}, 0, 1, rng), Tensor(Shape{rows})};
  for (Index i = 0; i < rows; ++i) {
    const auto c = static_cast<Index>(rng.below(count));
    Scalar* row = p.logits.mutable_data() + i * classes;
    row[c] += 8;
    row[(c + 1) % classes] += rng.uniform() < mistakes ? Scalar{12} : Scalar{4};
    p.targets.mutable_data()[i] =
        static_cast<Scalar>(rng.uniform() < random_labels ? static_cast<Index>(rng.below(count)) : c);
  }
  return p;
}

int named_of_20(Index classes, double mistakes, double random_labels) {
  int named = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const auto p = classify(classes, mistakes, random_labels, seed);
    named += diagnose_labels(p.logits, p.targets).has_value();
  }
  return named;
}

constexpr Scalar not_a_number = std::numeric_limits<Scalar>::quiet_NaN();

}  // namespace

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

TEST_CASE("random labels are distinguished from the natural mistakes of a model") {
  for (const Index classes : {3, 10, 50}) {
    CAPTURE(classes);
    CHECK(named_of_20(classes, 0, 0) == 0);
    CHECK(named_of_20(classes, 0.1, 0) == 0);
    CHECK(named_of_20(classes, 0.5, 0) == 0);
    CHECK(named_of_20(classes, 0.02, 0.2) >= 18);
    CHECK(named_of_20(classes, 0.02, 0.5) >= 18);
  }
}

TEST_CASE("a poor model is not blamed on the labels") {
  for (const Index classes : {3, 10})
    for (const double signal : {0.0, 0.5, 1.0, 1.5, 2.0, 3.0})
      for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        CAPTURE(classes);
        CAPTURE(signal);
        const auto p = classify(classes, 0, 0, seed);
        Rng rng(seed + 100);
        const Tensor logits = normal({400, classes}, 0, 1, rng);
        for (Index i = 0; i < 400; ++i)
          logits.mutable_data()[i * classes + static_cast<Index>(p.targets.data()[i])] += static_cast<Scalar>(signal);
        CHECK(!diagnose_labels(logits, p.targets));
      }
}

TEST_CASE("a model that knows the most frequent class only is not blamed on the labels") {
  Rng rng(8);
  const Tensor logits = normal({400, 10}, 0, 1, rng), targets(Shape{400});
  for (Index i = 0; i < 400; ++i) {
    logits.mutable_data()[10 * i] += 20;
    targets.mutable_data()[i] = static_cast<Scalar>(i % 4 == 0 ? i % 10 : 0);
  }
  CHECK(!diagnose_labels(logits, targets));
}

TEST_CASE("the diagnosis of labels estimates the share and names the worst rows") {
  auto p = classify(10, 0.1, 0.3, 5, 2000);
  p.targets.mutable_data()[77] = 3;
  for (Index c = 0; c < 10; ++c) p.logits.mutable_data()[77 * 10 + c] = static_cast<Scalar>(c == 4 ? 500 : 0);
  const auto found = diagnose_labels(p.logits, p.targets);
  REQUIRE(found);
  CHECK(found->name == "label_noise");
  CHECK(found->where.find("rows 77, ") == 0);
  // One in ten is right by chance: the estimate is of the labels drawn, not of the wrong ones.
  const auto percent = std::stoi(found->cause.substr(found->cause.find("about") + 6));
  CHECK(percent >= 24);
  CHECK(percent <= 36);
  std::vector<Index> rows(2000);
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<Index>(10 * i);
  CHECK(diagnose_labels(p.logits, p.targets, rows)->where.find("rows 770, ") == 0);
}

TEST_CASE("labels are not diagnosed with few or very many mistakes, two classes, or logits that are not finite") {
  for (const Index mistakes : {9, 10, 60, 70}) {
    const Tensor logits = Tensor::zeros({100, 10}), targets(Shape{100});
    for (Index i = 0; i < 100; ++i) {
      targets.mutable_data()[i] = static_cast<Scalar>(i % 10);
      logits.mutable_data()[10 * i + i % 10] = i < mistakes ? Scalar{-1} : Scalar{1};
    }
    // 5 % must be wrong, and 10; but not more than three quarters of what a guess gets wrong.
    CHECK(diagnose_labels(logits, targets).has_value() == (mistakes == 10 || mistakes == 60));
  }
  const auto two = classify(2, 0, 0.5, 1);
  CHECK(!diagnose_labels(two.logits, two.targets));
  const auto p = classify(10, 0, 0.5, 1);
  REQUIRE(diagnose_labels(p.logits, p.targets));
  p.logits.mutable_data()[0] = not_a_number;
  CHECK(!diagnose_labels(p.logits, p.targets));
  check_throws<ShapeError>([&] { diagnose_labels(p.logits, Tensor::zeros({7})); }, "[N, C]", "[7]");
  check_throws<DataError>([&] { diagnose_labels(p.logits, Tensor::full({400}, 10)); }, "[0, 10)", "got 10 in row 0");
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

namespace {

// Logits of an ideal model of two normal classes at this distance, of whose labels a share is flipped.
struct Two {
  Tensor logits{Shape{600, 1}}, targets{Shape{600, 1}};
};
Two two_classes(double distance, double flipped, std::uint64_t seed) {
  Rng rng(seed);
  Two two;
  for (Index i = 0; i < 600; ++i) {
    const double sign = i % 2 == 0 ? 1 : -1;
    two.logits.mutable_data()[i] = static_cast<Scalar>(distance * (sign * distance / 2 + rng.normal()));
    const bool label = (sign > 0) != (rng.uniform() < flipped);
    two.targets.mutable_data()[i] = label ? 1 : 0;
  }
  return two;
}

}  // namespace

TEST_CASE("flipped labels of two classes are found, classes that overlap are not") {
  int found = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    const Two noisy = two_classes(4, 0.2, seed);
    const auto anomaly = train::diagnose_binary_labels(noisy.logits, noisy.targets);
    found += anomaly && anomaly->name == "label_noise";
    for (const double distance : {1.0, 1.5, 2.0, 3.0}) {
      const Two clean = two_classes(distance, 0, seed);
      CHECK(!train::diagnose_binary_labels(clean.logits, clean.targets));
    }
  }
  CHECK(found >= 16);
}

TEST_CASE("the flipped rows are named first") {
  Two two = two_classes(6, 0.1, 3);
  two.logits.mutable_data()[123] = 1000;
  two.targets.mutable_data()[123] = 0;
  const auto found = train::diagnose_binary_labels(two.logits, two.targets);
  REQUIRE(found);
  CHECK(found->where.find("rows 123, ") == 0);
}

TEST_CASE("a validation set with other class numbers is told from a bad model") {
  auto p = classify(4, 0.05, 0, 1);
  CHECK(!train::diagnose_recoding(p.logits, p.targets, Task::multiclass));
  for (Scalar& target : p.targets.mutable_span()) target = static_cast<Scalar>((static_cast<int>(target) + 1) % 4);
  const auto found = train::diagnose_recoding(p.logits, p.targets, Task::multiclass);
  REQUIRE(found);
  CHECK(found->evidence.find("1 for 0") != std::string::npos);
  CHECK(!train::diagnose_recoding(Tensor::zeros({400, 4}), p.targets, Task::multiclass));
  const Two two = two_classes(3, 1, 1);
  CHECK(train::diagnose_recoding(two.logits, two.targets, Task::binary));
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
