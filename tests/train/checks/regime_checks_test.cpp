#include <algorithm>
#include <cmath>
#include <vector>

#include <doctest/doctest.h>
#include <handrail/train/checks/internal/neighbours/regime_checks.h>

#include "train/checks/tables.h"

using namespace handrail;
using train::Task;
using namespace tables;

TEST_CASE("rows whose classes are numbered otherwise are reported with the row at which they begin") {
  const Table table = classes(600);
  for (Index i = 240; i < 600; ++i) table.target(i) = static_cast<Scalar>((static_cast<int>(table.target(i)) + 1) % 3);
  const auto found = review(table, Task::multiclass);
  REQUIRE(find(found, "labels_recoded"));
  CHECK(contains(find(found, "labels_recoded")->where, "about 24"));
  CHECK(contains(find(found, "labels_recoded")->evidence, "0 for 2"));
}

TEST_CASE("rows whose columns are in another order are reported") {
  const Table table = values(600);
  for (Index i = 300; i < 600; ++i) {
    std::vector<Scalar> row;
    for (Index j = 0; j < table.cols(); ++j) row.push_back(table.at(i, (j + 2) % table.cols()));
    for (Index j = 0; j < table.cols(); ++j) table.at(i, j) = row[static_cast<std::size_t>(j)];
  }
  const auto found = review(table, Task::regression);
  REQUIRE(find(found, "columns_permuted"));
  CHECK(contains(find(found, "columns_permuted")->where, "about 30"));
}

TEST_CASE("rows whose targets follow from the inputs in another way are reported") {
  const Table table = values(600);
  for (Index i = 300; i < 600; ++i) table.target(i) = -table.target(i);
  CHECK(find(review(table, Task::regression), "two_regimes"));
}

TEST_CASE("rows in any order, sorted rows and inputs that drift have no regimes") {
  for (const std::uint64_t seed : {1u, 2u, 3u, 4u, 5u}) {
    CHECK(names(review(values(500, seed), Task::regression)) == "");
    CHECK(names(review(classes(500, seed), Task::multiclass)) == "");
  }
  const Table table = values(500), sorted = values(500);
  std::vector<Index> order;
  for (Index i = 0; i < 500; ++i) order.push_back(i);
  std::ranges::sort(order, {}, [&](Index i) { return table.target(i); });
  for (Index i = 0; i < 500; ++i) {
    sorted.target(i) = table.target(order[static_cast<std::size_t>(i)]);
    for (Index j = 0; j < table.cols(); ++j) sorted.at(i, j) = table.at(order[static_cast<std::size_t>(i)], j);
  }
  CHECK(!find(review(sorted, Task::regression), "two_regimes"));
  CHECK(!find(review(sorted, Task::regression), "columns_permuted"));
}

TEST_CASE("targets that were filled with the one before are reported, groups of rows with one target are not") {
  for (const Task task : {Task::regression, Task::multiclass}) {
    Rng rng(3);
    const Table table = task == Task::regression ? values(600) : classes(600);
    for (Index i = 1; i < 600; ++i)
      if (rng.uniform() < 0.5) table.target(i) = table.target(i - 1);
    const auto found = review(table, task);
    REQUIRE(find(found, "labels_shifted"));
    CHECK(contains(find(found, "labels_shifted")->evidence, "repeat that of the row before"));

    const Table groups = task == Task::regression ? values(600) : classes(600);
    for (Index i = 0; i < 600; ++i) {
      if (i % 4 != 0) groups.target(i) = groups.target(i - 1);
      for (Index j = 0; j < groups.cols() && i % 4 != 0; ++j)
        groups.at(i, j) = groups.at(i - 1, j) + static_cast<Scalar>(0.3 * rng.normal());
    }
    CHECK(!find(review(groups, task), "labels_shifted"));
  }
}

TEST_CASE("rows without a label that count as class 0 are reported, a common class is not") {
  const auto blobs = [](double unlabelled, double common) {
    Rng rng(5);
    const Table table{normal({600, 4}, 0, 0.7, rng), Tensor(Shape{600})};
    for (Index i = 0; i < 600; ++i) {
      const Index c = rng.uniform() < common ? 0 : static_cast<Index>(rng.below(4));
      if (c > 0) table.at(i, c - 1) += 2;
      table.target(i) = rng.uniform() < unlabelled ? 0 : static_cast<Scalar>(c);
    }
    return table;
  };
  const auto found = review(blobs(0.5, 0), Task::multiclass);
  REQUIRE(find(found, "label_noise"));
  CHECK(find(found, "label_noise")->where == "training rows of class 0");
  CHECK(!find(review(blobs(0, 0.5), Task::multiclass), "label_noise"));
  CHECK(!find(review(blobs(0, 0), Task::multiclass), "label_noise"));
}

TEST_CASE("classes that lie around each other are not taken for rows without a label") {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    Rng rng(seed);
    const Table table{normal({720, 6}, 0, 1, rng), Tensor(Shape{720})};
    for (Index i = 0; i < 720; ++i) {
      double radius = 0;
      for (Index j = 0; j < 6; ++j) radius += std::pow(static_cast<double>(table.at(i, j)), 2);
      table.target(i) = radius < 3.45 ? 0 : radius < 5.35 ? 1 : radius < 7.84 ? 2 : 3;  // the quartiles
    }
    CAPTURE(seed);
    CHECK(!find(review(table, Task::multiclass), "label_noise"));
  }
}
