#include <algorithm>

#include <doctest/doctest.h>
#include <handrail/train/checks/internal/columns/exact_leaks.h>

#include "train/checks/tables.h"

using namespace handrail;
using train::Task;
using namespace tables;

TEST_CASE("a target that is the difference of two columns is a leak") {
  for (const Task task : {Task::regression, Task::multiclass}) {
    const Table table = task == Task::regression ? values(300) : classes(300);
    table.edit(4, [&](Index i, double) { return static_cast<double>(table.at(i, 3) + table.target(i)); });
    const auto found = review(table, task);
    REQUIRE(find(found, "label_leak"));
    CHECK(find(found, "label_leak")->where == "columns 3, 4 of the inputs");
    table.edit(4, [](Index i, double x) { return x + (i % 2 == 0 ? 0.02 : -0.02); });
    CHECK(!find(review(table, task), "label_leak"));
  }
}

TEST_CASE("a target that is a sum of all columns is a task, and no leak") {
  const Table table = values(300, 1, 3);
  for (Index i = 0; i < table.rows(); ++i) table.target(i) = 2 * table.at(i, 0) - table.at(i, 1) + table.at(i, 2);
  CHECK(!find(review(table, Task::regression), "label_leak"));
}

// Puts the mean target of each group of rows, the row's own included, into column 4. Groups are of rows in sequence.
void encode(const Table& table, Index rows_a_group) {
  for (Index first = 0; first < table.rows(); first += rows_a_group) {
    const Index end = std::min(first + rows_a_group, table.rows());
    double sum = 0;
    for (Index i = first; i < end; ++i) sum += static_cast<double>(table.target(i));
    for (Index i = first; i < end; ++i) table.at(i, 4) = static_cast<Scalar>(sum / static_cast<double>(end - first));
  }
}

TEST_CASE("a category that was replaced by the mean of its few targets is a leak") {
  const Table table = values(300), validation = values(90, 2);
  encode(table, 3);
  for (const Table* other : {static_cast<const Table*>(nullptr), &validation})
    CHECK(find(review(table, other, Task::regression), "label_leak"));
  table.edit(4, [](Index, double x) { return 5 * x - 3; });
  CHECK(find(review(table, Task::regression), "label_leak"));
}

TEST_CASE("means of large groups of classes are a leak when validation rows obey them too") {
  const Table table = classes(600), validation = classes(300, 2);
  encode(table, 3);
  encode(validation, 3);
  CHECK(find(review(table, &validation, Task::multiclass), "label_leak"));
}

TEST_CASE("a category that was replaced by the mean of many training targets is no leak") {
  const Table table = values(600), validation = values(300, 2);
  encode(table, 50);
  for (Index i = 0; i < validation.rows(); ++i) validation.at(i, 4) = table.at(i * 2, 4);
  CHECK(!find(review(table, &validation, Task::regression), "label_leak"));
}
