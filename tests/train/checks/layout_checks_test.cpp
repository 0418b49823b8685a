#include <algorithm>
#include <doctest/doctest.h>
#include <handrail/core/ops/ops.h>
#include <handrail/train/checks/internal/layout_checks.h>

#include "train/checks/tables.h"

using namespace handrail;
using train::Task;
using namespace tables;

namespace {

Table make(Task task, std::uint64_t seed = 1) {
  return task == Task::regression ? values(500, seed) : classes(500, seed);
}

}  // namespace

TEST_CASE("rows that begin a number too early or too late are reported with the stride") {
  for (const Task task : {Task::multiclass, Task::regression})
    for (const Index error : {-1, 1, 2}) {
      CAPTURE(error);
      const Table table = make(task);
      const Tensor x = table.x.clone();
      for (Index i = 0; i < 500; ++i)
        for (Index j = 0; j < 5; ++j) table.at(i, j) = x.data()[(i * (5 + error) + j) % x.size()];
      const auto found = review(table, task);
      REQUIRE(find(found, "scrambled_inputs"));
      CHECK(contains(find(found, "scrambled_inputs")->evidence, std::to_string(5 + error) + " numbers apart"));
    }
}

TEST_CASE("a table that is stored by columns and reshaped is reported") {
  for (const Task task : {Task::multiclass, Task::regression}) {
    const Table table = make(task);
    const Table reshaped{transpose(table.x).view(table.x.shape()).clone(), table.y};
    REQUIRE(find(review(reshaped, task), "scrambled_inputs"));
    CHECK(contains(find(review(reshaped, task), "scrambled_inputs")->remedy, "transpose"));
  }
}

TEST_CASE("inputs that tell their own targets, or none, are not called scrambled") {
  for (const Task task : {Task::multiclass, Task::regression})
    for (const std::uint64_t seed : {1u, 2u, 3u}) {
      const Table table = make(task, seed);
      CHECK(!find(review(table, task), "scrambled_inputs"));
      Rng rng(seed);
      rng.shuffle(table.y.mutable_span());
      CHECK(!find(review(table, task), "scrambled_inputs"));
    }
}

TEST_CASE("numbers that were sorted in each row are reported, columns in ascending order of their means are not") {
  const Table table = values(200);
  for (Index i = 0; i < table.rows(); ++i) std::sort(&table.at(i, 0), &table.at(i, 0) + table.cols());
  const auto found = review(table, Task::regression);
  REQUIRE(find(found, "scrambled_inputs"));
  CHECK(contains(find(found, "scrambled_inputs")->evidence, "ascending"));

  const Table rising = values(200);
  for (Index j = 0; j < rising.cols(); ++j) rising.edit(j, [&](Index, double x) { return x + static_cast<double>(j); });
  CHECK(!find(review(rising, Task::regression), "scrambled_inputs"));
}

TEST_CASE("numbers that stand a few cells further on are reported, those of a series that looks back are not") {
  const Table table = classes(600, 1, 8);
  const Tensor x = table.x.clone();
  // The columns that tell the targets are the last ones, and 3 in the middle.
  const auto at = [&](Index i, Index j) { return x.data()[8 * i + j]; };
  for (Index i = 0; i < 600; ++i)
    for (Index j = 0; j < 8; ++j)
      table.at(i, j) = j >= 6 ? at(i, j - 6) : j == 3 ? at(i, 0) + at(i, 1) : at(i, j < 2 ? j + 6 : j);
  const Tensor right = table.x.clone();
  CHECK(!find(review(table, Task::multiclass), "scrambled_inputs"));
  for (Index cell = 0; cell < x.size(); ++cell)
    table.x.mutable_data()[cell] = cell < 3 ? Scalar(0) : right.data()[cell - 3];
  const auto found = review(table, Task::multiclass);
  REQUIRE(find(found, "scrambled_inputs"));
  CHECK(contains(find(found, "scrambled_inputs")->where, "columns 0 to 2"));
  for (Index i = 0; i < 600; ++i)  // one column of the row before, behind the others
    for (Index j = 0; j < 8; ++j)
      table.at(i, j) = j == 7 && i > 0 ? right.data()[8 * (i - 1) + 6] : right.data()[8 * i + j];
  CHECK(!find(review(table, Task::multiclass), "scrambled_inputs"));
}
