#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include <doctest/doctest.h>
#include <handrail/core/error.h>
#include <handrail/train/checks/internal/outcome/label_diagnosis.h>

#include "support/check_throws.h"
#include "train/checks/outcome/predicted.h"

using namespace handrail;
using namespace predicted;
using train::diagnose_labels;
using train::Task;

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

int named_of_20(Index classes, double mistakes, double random_labels) {
  int named = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const auto p = classify(classes, mistakes, random_labels, seed);
    named += diagnose_labels(p.logits, p.targets).has_value();
  }
  return named;
}

// Random classes of 200 rows, and logits that tell the class of the row `shift` behind each.
Predicted shifted(Index shift, Index rows = 200) {
  Rng rng(4);
  Predicted p{normal({rows, 3}, 0, 0.1, rng), Tensor(Shape{rows})};
  for (Index i = 0; i < rows; ++i) p.targets.mutable_data()[i] = static_cast<Scalar>(rng.below(3));
  for (Index i = 0; i < rows; ++i)
    p.logits.mutable_data()[3 * i + static_cast<Index>(p.targets.data()[(i + shift + rows) % rows])] += 1;
  return p;
}

std::vector<Index> numbers(Index rows, Index step = 1) {
  std::vector<Index> all(static_cast<std::size_t>(rows));
  for (Index i = 0; i < rows; ++i) all[static_cast<std::size_t>(i)] = step * i;
  return all;
}

}  // namespace

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

TEST_CASE("validation targets that are a row late or early are reported with the direction") {
  for (const Index shift : {1, -1}) {
    const auto p = shifted(shift);
    const auto found = train::diagnose_shift(p.logits, p.targets, Task::multiclass, numbers(200));
    REQUIRE(found);
    CHECK(found->evidence.find(shift > 0 ? "behind" : "before") != std::string::npos);
  }
  const auto right = shifted(0), late = shifted(1);
  CHECK(!train::diagnose_shift(right.logits, right.targets, Task::multiclass, numbers(200)));
  // Rows that do not follow each other have no neighbours.
  CHECK(!train::diagnose_shift(late.logits, late.targets, Task::multiclass, numbers(200, 3)));
}

TEST_CASE("predictions tell the targets when they agree more than by chance") {
  const auto right = shifted(0), late = shifted(1);
  CHECK(train::tells_targets(right.logits, right.targets, Task::multiclass));
  CHECK(!train::tells_targets(late.logits, late.targets, Task::multiclass));
  CHECK(!train::tells_targets(Tensor::zeros({200, 3}), right.targets, Task::multiclass));
  // Values that correlate by 0.2: 2.4 standard errors, which is not enough alone.
  Rng rng(3);
  const Tensor noisy = normal({150, 1}, 0, 1, rng), values = normal({150, 1}, 0, 1, rng);
  for (Index i = 0; i < 150; ++i) values.mutable_data()[i] += Scalar(0.2) * noisy.data()[i];
  CHECK(!train::tells_targets(noisy, values, Task::regression));
  CHECK(!train::tells_targets(noisy, values, Task::regression, 0));
  CHECK(train::tells_targets(noisy, values, Task::regression, 1.5));
  CHECK(train::tells_targets(Tensor::zeros({7, 3}), right.targets, Task::multiclass));  // it is not known
  // All are predicted as class 0, but the logits are in the right order.
  Two rare = two_classes(1, 0, 1);
  for (Scalar& logit : rare.logits.mutable_span()) logit -= 20;
  CHECK(train::tells_targets(rare.logits, rare.targets, Task::binary));
  Two flipped = two_classes(1, 0.5, 1);
  CHECK(!train::tells_targets(flipped.logits, flipped.targets, Task::binary));
}
