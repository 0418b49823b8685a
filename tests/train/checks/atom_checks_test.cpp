#include <algorithm>
#include <cmath>

#include <doctest/doctest.h>
#include <handrail/train/checks/internal/columns/atom_checks.h>

#include "train/checks/tables.h"

using namespace handrail;
using train::Severity;
using train::Task;
using namespace tables;

TEST_CASE("missing cells that were filled with the mean are reported") {
  Rng rng(1);
  const Table table = values(400);
  for (const Index j : {1, 3}) table.edit(j, [&](Index, double x) { return rng.uniform() < 0.3 ? 0 : x; });
  const auto found = review(table, Task::regression);
  REQUIRE(find(found, "coded_missing"));
  CHECK(find(found, "coded_missing")->severity == Severity::warning);
  CHECK(find(found, "coded_missing")->where == "column 1 of the inputs");
  CHECK(contains(find(found, "coded_missing")->details, "2 columns"));
}

TEST_CASE("missing cells that were filled with the median of a skewed column are reported") {
  Rng rng(1);
  const Table table = classes(500);
  table.edit(2, [&](Index, double x) { return rng.uniform() < 0.3 ? 1 : std::exp(x); });
  const auto found = review(table, Task::multiclass);
  REQUIRE(find(found, "coded_missing"));
  CHECK(find(found, "coded_missing")->severity == Severity::warning);
}

TEST_CASE("a filled value that is rare, or away from the middle, is a note") {
  for (const double share : {0.1, 0.3}) {
    Rng rng(2);
    const Table table = values(400);
    table.edit(1, [&](Index, double x) { return rng.uniform() < share ? (share < 0.2 ? 0.0 : 0.7) : x; });
    const auto found = review(table, Task::regression);
    REQUIRE(find(found, "coded_missing"));
    CHECK(find(found, "coded_missing")->severity == Severity::note);
  }
}

TEST_CASE("zeros of an amount that cannot be negative are not reported as filled") {
  Rng rng(1);
  const Table table = values(400);
  table.edit(3, [&](Index, double x) { return rng.uniform() < 0.6 ? 0 : std::exp(x); });
  table.edit(4, [](Index, double x) { return std::round(3 * x); });
  CHECK(names(review(table, Task::regression)) == "");
}

TEST_CASE("cells that were filled with the row before are noted, sorted columns and repeated rows are not") {
  const Table table = values(400);
  Rng rng(4);
  for (Index i = 1; i < table.rows(); ++i)
    if (rng.uniform() < 0.4) table.at(i, 2) = table.at(i - 1, 2);
  const auto found = review(table, Task::regression);
  REQUIRE(find(found, "coded_missing"));
  CHECK(find(found, "coded_missing")->severity == Severity::note);
  CHECK(contains(find(found, "coded_missing")->evidence, "the row before"));

  const Table sorted = values(400);
  sorted.edit(2, [](Index i, double) { return static_cast<double>(i / 2) * 0.37; });
  CHECK(!find(review(sorted, Task::regression), "coded_missing"));
}

TEST_CASE("columns that were clipped at both ends are reported") {
  const Table table = values(400);
  for (Index j = 0; j < table.cols(); ++j) table.edit(j, [](Index, double x) { return std::clamp(x, 0.0, 1.0); });
  const auto found = review(table, Task::regression);
  REQUIRE(find(found, "truncated_columns"));
  CHECK(find(found, "truncated_columns")->severity == Severity::warning);
  CHECK(contains(find(found, "truncated_columns")->evidence, "exactly 1 in"));
}

TEST_CASE("a clipped column among others, and columns that end at one side, are not reported as clipped") {
  const Table table = values(400);
  table.edit(3, [](Index, double x) { return std::clamp(x, -1.0, 1.0); });
  CHECK(!find(review(table, Task::regression), "truncated_columns"));
  for (Index j = 0; j < table.cols(); ++j) table.edit(j, [](Index, double x) { return std::max(x, -0.5); });
  CHECK(!find(review(table, Task::regression), "truncated_columns"));
}
