#include <doctest/doctest.h>
#include <handrail/train/checks/internal/leak_checks.h>

#include "train/checks/tables.h"

using namespace handrail;
using train::Severity;
using train::Task;
using namespace tables;

TEST_CASE("a column that tells the class is reported, with noise and in other units too") {
  Rng rng(7);
  const Table table = classes(300);
  for (Index i = 0; i < 300; ++i)
    table.at(i, 4) = static_cast<Scalar>(40 * static_cast<double>(table.target(i)) + rng.normal());
  const auto found = review(table, Task::multiclass);
  REQUIRE(find(found, "label_leak"));
  CHECK(contains(find(found, "label_leak")->where, "column 4"));
}

TEST_CASE("a column that tells the target of a regression is reported") {
  Rng rng(7);
  const Table table = values(300);
  for (Index i = 0; i < 300; ++i)
    table.at(i, 4) = static_cast<Scalar>(-3 * static_cast<double>(table.target(i)) + 0.1 * rng.normal());
  CHECK(find(review(table, Task::regression), "label_leak"));
}

TEST_CASE("a column that predicts well, but not all, is no leak") {
  for (const std::uint64_t seed : {1u, 2u, 3u, 4u, 5u}) {
    Rng rng(seed);
    const Table table = classes(300, seed);
    for (Index i = 0; i < 300; ++i)
      if (rng.uniform() < 0.93) table.at(i, 4) = table.target(i);
    CHECK(!find(review(table, Task::multiclass), "label_leak"));
  }
}

TEST_CASE("a column that numbers the rows is reported: a warning when it predicts, a note when it does not") {
  const Table table = classes(300);
  table.edit(2, [](Index i, double) { return i; });
  auto found = review(table, Task::multiclass);
  REQUIRE(find(found, "identifier_column"));
  CHECK(find(found, "identifier_column")->severity == Severity::note);
  for (Index i = 0; i < 300; ++i) table.target(i) = i < 100 ? 0 : i < 200 ? 1 : 2;
  found = review(table, Task::multiclass);
  CHECK(find(found, "identifier_column")->severity == Severity::warning);
  // The only column may be in order, as the grid of a curve is.
  const Table curve = values(300, 1, 1);
  curve.edit(0, [](Index i, double) { return 0.01 * static_cast<double>(i); });
  CHECK(names(review(curve, Task::regression)) == "");
}

TEST_CASE("an identifier that has other values in the validation set is a warning, and no drift") {
  const Table table = classes(300), validation = classes(100, 2);
  table.edit(2, [](Index i, double) { return i; });
  validation.edit(2, [](Index i, double) { return 300 + i; });
  const auto found = review(table, &validation, Task::multiclass);
  REQUIRE(find(found, "identifier_column"));
  CHECK(find(found, "identifier_column")->severity == Severity::warning);
  CHECK(!find(found, "validation_drift"));
}

TEST_CASE("a customer number in no order is an identifier, prices in cents are none") {
  Rng rng(3);
  std::vector<Index> ids(400);
  for (Index i = 0; i < 400; ++i) ids[static_cast<std::size_t>(i)] = 5000 + i;
  rng.shuffle(std::span(ids));
  const Table table = classes(400);
  table.edit(2, [&](Index i, double) { return static_cast<double>(ids[static_cast<std::size_t>(i)]); });
  CHECK(find(review(table, Task::multiclass), "identifier_column"));
  const Table prices = classes(400);
  prices.edit(2, [&](Index, double) { return static_cast<double>(rng.below(1'000'000)); });
  CHECK(!find(review(prices, Task::multiclass), "identifier_column"));
}

TEST_CASE("a flag that is set for one class is a leak, with some errors too, and one of many such flags is not") {
  Rng rng(7);
  const Table flagged = classes(600), filled = classes(600), many = classes(600), related = classes(600);
  for (Index i = 0; i < 600; ++i) {
    const bool last = flagged.target(i) == 2;
    flagged.at(i, 4) = last != (rng.uniform() < 0.02) ? 1 : 0;
    filled.at(i, 4) = last ? static_cast<Scalar>(rng.uniform(0.5, 3)) : Scalar(0);
    many.at(i, 3) = many.at(i, 4) = flagged.at(i, 4);
    related.at(i, 4) = last != (rng.uniform() < 0.1) ? 1 : 0;
  }
  const auto found = review(flagged, Task::multiclass);
  REQUIRE(find(found, "label_leak"));
  CHECK(contains(find(found, "label_leak")->where, "column 4"));
  CHECK(find(review(filled, Task::multiclass), "label_leak"));
  CHECK(!find(review(many, Task::multiclass), "label_leak"));
  CHECK(!find(review(related, Task::multiclass), "label_leak"));
}
