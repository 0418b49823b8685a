#include <cmath>

#include <doctest/doctest.h>
#include <handrail/train/checks/internal/target_checks.h>

#include "train/checks/tables.h"

using namespace handrail;
using train::Severity;
using train::Task;
using namespace tables;

namespace {

// The classes of a table as the targets [N, 1] of a regression or of a binary task.
Table as_numbers(const Table& table, double factor) {
  const Table numbers{table.x, Tensor({table.rows(), 1})};
  for (Index i = 0; i < table.rows(); ++i)
    numbers.target(i) = static_cast<Scalar>(factor * static_cast<double>(table.target(i)));
  return numbers;
}

}  // namespace

TEST_CASE("targets that are all the same are reported") {
  const Table table = values(100);
  for (Index i = 0; i < 100; ++i) table.target(i) = 3;
  CHECK(find(review(table, Task::regression), "constant_targets"));
  const Table one_class = classes(100);
  for (Index i = 0; i < 100; ++i) one_class.target(i) = 1;
  CHECK(find(review(one_class, Task::multiclass), "constant_targets"));
}

TEST_CASE("a regression on class numbers is reported, counts are a note") {
  const auto found = review(as_numbers(classes(300), 1), Task::regression);
  REQUIRE(find(found, "loss_mismatch"));
  CHECK(find(found, "loss_mismatch")->severity == Severity::warning);
  CHECK(contains(find(found, "loss_mismatch")->remedy, "cross_entropy"));
  const Table counts = values(300);
  for (Index i = 0; i < 300; ++i)
    counts.target(i) = static_cast<Scalar>(i % 50 == 0 ? 4 : i % 30 == 0 ? 3 : i % 10 == 0 ? 2 : i % 3 == 0);
  const auto of_counts = review(counts, Task::regression);
  REQUIRE(find(of_counts, "loss_mismatch"));
  CHECK(find(of_counts, "loss_mismatch")->severity == Severity::note);
}

TEST_CASE("binary targets that are class numbers between 0 and 1 are reported, soft labels are not") {
  Table table = classes(300);
  for (Index i = 0; i < 300; ++i) table.target(i) = static_cast<Scalar>(i % 5);
  CHECK(find(review(as_numbers(table, 0.25), Task::binary), "loss_mismatch"));
  for (Index i = 0; i < 300; ++i) table.target(i) = static_cast<Scalar>(i % 3);
  CHECK(find(review(as_numbers(table, 0.5), Task::binary), "loss_mismatch"));
  for (Index i = 0; i < 300; ++i) table.target(i) = static_cast<Scalar>(i % 10 == 0 ? 1 : 2 * (i % 2));  // some unsure
  CHECK(!find(review(as_numbers(table, 0.5), Task::binary), "loss_mismatch"));
  const Table soft = values(300);
  for (Index i = 0; i < 300; ++i) soft.target(i) = 1 / (1 + std::exp(-soft.target(i)));
  CHECK(!find(review(soft, Task::binary), "loss_mismatch"));
}

TEST_CASE("targets that were cut off are reported") {
  const Table table = values(300);
  for (Index i = 0; i < 300; ++i) table.target(i) = std::trunc(2 * table.target(i));
  CHECK(find(review(table, Task::regression), "truncated_targets"));
  const Table few = values(300), signs = values(300);
  for (Index i = 0; i < 300; ++i) few.target(i) = std::trunc(0.6f * few.target(i));
  CHECK(find(review(few, Task::regression), "truncated_targets"));
  for (Index i = 0; i < 300; ++i) signs.target(i) = static_cast<Scalar>(i % 3 - 1);
  CHECK(!find(review(signs, Task::regression), "truncated_targets"));
}

TEST_CASE("a target that stands for a missing one is a warning when the inputs say otherwise") {
  const Table table = values(400);
  for (Index i = 0; i < 400; ++i) table.target(i) = i % 12 == 0 ? 0 : 5 + table.target(i);
  const auto found = review(table, Task::regression);
  REQUIRE((find(found, "repeated_target") || find(found, "coded_missing")));
  const Table inside = values(400);
  for (Index i = 0; i < 400; i += 12) inside.target(i) = 1;
  REQUIRE(find(review(inside, Task::regression), "repeated_target"));
  CHECK(find(review(inside, Task::regression), "repeated_target")->severity == Severity::warning);
  // Cut off at a bound, as house prices are.
  const Table bounded = values(400);
  for (Index i = 0; i < 400; ++i) bounded.target(i) = std::min<Scalar>(bounded.target(i), 1);
  REQUIRE(find(review(bounded, Task::regression), "repeated_target"));
}

TEST_CASE("a target that is missing in more than half of the rows is reported") {
  const Table table = values(400);
  for (Index i = 0; i < 400; ++i)
    if (i % 9 < 5) table.target(i) = 1;
  CHECK(find(review(table, Task::regression), "repeated_target"));
}

TEST_CASE("rows that are all there twice with other targets are reported") {
  const Table table = values(300);
  for (Index i = 0; i < 150; ++i)
    for (Index j = 0; j < 5; ++j) table.at(150 + i, j) = table.at(i, j);
  CHECK(find(review(table, Task::regression), "conflicting_labels"));
}

TEST_CASE("equal rows with different labels are reported") {
  const Table table = classes(300);
  for (Index i = 0; i < 20; ++i) {
    for (Index j = 0; j < 5; ++j) table.at(200 + i, j) = table.at(i, j);
    table.target(200 + i) = static_cast<Scalar>((static_cast<int>(table.target(i)) + 1) % 3);
  }
  const auto found = review(table, Task::multiclass);
  REQUIRE(find(found, "conflicting_labels"));
  CHECK(find(found, "conflicting_labels")->severity == Severity::warning);
  const Table repeated = classes(300);
  for (Index i = 0; i < 20; ++i) {
    for (Index j = 0; j < 5; ++j) repeated.at(200 + i, j) = repeated.at(i, j);
    repeated.target(200 + i) = repeated.target(i);
  }
  CHECK(!find(review(repeated, Task::multiclass), "conflicting_labels"));
}

TEST_CASE("inputs that are nearly all equal are reported as what makes labels conflict") {
  const Table table = classes(300);
  for (Index j = 0; j < 5; ++j) table.edit(j, [](Index, double x) { return x > 2.5 ? 1 : 0; });
  const auto found = review(table, Task::multiclass);
  REQUIRE(find(found, "conflicting_labels"));
  CHECK(find(found, "conflicting_labels")->severity == Severity::warning);
}

TEST_CASE(
    "blocks of rows with the inputs of their last one are reported, rows that are sorted by their inputs are not") {
  const Table table = values(400);
  for (Index i = 0; i < table.rows(); ++i)
    for (Index j = 0; j < table.cols(); ++j) table.at(i, j) = table.at(i / 8 * 8 + 7, j);
  const auto found = review(table, Task::regression);
  REQUIRE(find(found, "conflicting_labels"));
  CHECK(contains(find(found, "conflicting_labels")->cause, "buffer"));

  const Table sorted = values(400);
  for (Index j = 0; j < sorted.cols(); ++j) sorted.edit(j, [](Index i, double) { return static_cast<double>(i / 8); });
  CHECK(!find(review(sorted, Task::regression), "conflicting_labels"));
}
