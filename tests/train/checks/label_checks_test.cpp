#include <vector>

#include <doctest/doctest.h>
#include <handrail/core/error.h>
#include <handrail/train/checks/internal/label_checks.h>

#include "support/check_throws.h"

using namespace handrail;
using train::check_class_counts;
using train::Task;

namespace {

using Counts = std::vector<Index>;

train::TensorDataset with_targets(const Tensor& targets) { return {Tensor::zeros({targets.shape()[0], 2}), targets}; }

Counts count(const Tensor& targets, Task task, std::optional<Index> classes = {}) {
  const auto data = with_targets(targets);
  const auto rows = all_rows(data);
  return train::count_labels({{data, rows}}, task, classes);
}

}  // namespace

TEST_CASE("the classes of the given rows are counted") {
  CHECK(count(Tensor({5}, {0, 2, 2, 1, 2}), Task::multiclass, 4) == Counts{1, 1, 3, 0});
  CHECK(count(Tensor({5}, {0, 2, 2, 1, 2}), Task::multiclass) == Counts{1, 1, 3});
  CHECK(count(Tensor({4}, {0, 1, 1, 1}), Task::binary) == Counts{1, 3});
  CHECK(count(Tensor({4, 1}, {0, 1, 1, Scalar(0.2)}), Task::binary) == Counts{2, 2});
  CHECK(count(Tensor({2, 2}, {0, 1, 1, 1}), Task::binary).empty());
  CHECK(count(Tensor({2}, {Scalar(-3.5), 1e9}), Task::regression).empty());
  const auto data = with_targets(Tensor({4}, {0, 9, 1, 1}));
  CHECK(train::count_labels({{data, std::vector<Index>{0, 2, 3}}}, Task::multiclass, 2) == Counts{1, 2});
}

TEST_CASE("a target that is no class is named by set and row") {
  const auto refused = [](const Tensor& targets, Task task, const char* got) {
    check_throws<DataError>([&] { count(targets, task, 3); }, got, "of the training set");
  };
  refused(Tensor({3}, {0, -1, 1}), Task::multiclass, "got -1 in row 1");
  refused(Tensor({3}, {0, 1, Scalar(1.5)}), Task::multiclass, "got 1.5 in row 2");
  refused(Tensor({3}, {0, 1, 7}), Task::multiclass, "a class in [0, 3) as a whole number; got 7 in row 2");
  refused(Tensor({3}, {3, 1, 2}), Task::multiclass, "(counted from 0, not from 1); got 3 in row 0");
  refused(Tensor({3}, {0, 1, -1}), Task::binary, "binary targets 0 or 1; got -1 in row 2");
  refused(Tensor({2, 2}, {0, 1, 1, 2}), Task::binary, "got 2 in row 1");
  check_throws<ShapeError>([] { count(Tensor::zeros({3, 2}), Task::multiclass); }, "one class per sample", "[2]");
  check_throws<DataError>([] { count(Tensor({1}, {Scalar(3e7)}), Task::multiclass); }, "got 3e+07");
}

TEST_CASE("classes that never occur are listed") {
  CHECK(check_class_counts(Counts{}).empty());
  CHECK(check_class_counts(Counts{5, 5, 5}).empty());
  const auto found = check_class_counts(Counts{0, 5, 5, 0, 5});
  REQUIRE(found.size() == 1);
  CHECK(found[0].name == "missing_class");
  CHECK(found[0].evidence == "2 of 5 classes never occur: 0, 3");
  CHECK(found[0].cause.find("from 1") != std::string::npos);
  Counts many(20, 0);
  many[1] = 5;
  CHECK(check_class_counts(many)[0].evidence == "19 of 20 classes never occur: 0, 2, 3, 4, 5, ...");
}

TEST_CASE("classes of very different frequency are named") {
  CHECK(check_class_counts(Counts{100, 5, 50}).empty());
  const auto found = check_class_counts(Counts{50, 101, 0, 5});
  REQUIRE(found.size() == 2);
  CHECK(found[1].name == "class_imbalance");
  CHECK(found[1].where == "class 3");
  CHECK(found[1].evidence == "occurs 5 times, class 1 101 times");
  CHECK(found[1].remedy.find("balance_classes") != std::string::npos);
}
