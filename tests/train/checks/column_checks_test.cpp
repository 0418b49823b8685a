#include <cmath>

#include <doctest/doctest.h>
#include <handrail/train/checks/internal/column_checks.h>
#include <handrail/train/files/text.h>

#include "train/checks/tables.h"

using namespace handrail;
using train::Severity;
using train::Task;
using namespace tables;

TEST_CASE("healthy tables pass the review of their data in silence") {
  for (const std::uint64_t seed : {1u, 2u, 3u, 4u, 5u, 6u, 7u, 8u, 9u, 10u}) {
    CAPTURE(seed);
    const Table c = classes(400, seed), held_out = classes(60, seed + 100);
    CHECK(names(review(c, &held_out, Task::multiclass)) == "");
    const Table v = values(400, seed), others = values(60, seed + 100);
    CHECK(names(review(v, &others, Task::regression)) == "");
  }
}

TEST_CASE("heavy tails, counts, sparse columns and blobs are no fault of a column") {
  for (const std::uint64_t seed : {1u, 2u, 3u, 4u, 5u, 6u, 7u, 8u, 9u, 10u}) {
    CAPTURE(seed);
    Rng rng(seed);
    const Table table = classes(500, seed, 8);
    table.edit(2, [&](Index, double x) { return std::exp(1.5 * x); });
    table.edit(3, [&](Index, double x) { return std::floor(std::exp(x)); });
    table.edit(4, [&](Index, double x) { return x > 1.6 ? 20 * x : 0; });
    table.edit(5, [&](Index i, double x) { return i % 2 == 0 ? 2 + 0.2 * x : 9 + 0.2 * x; });
    table.edit(6, [&](Index, double x) {
      return x / std::sqrt((std::pow(rng.normal(), 2) + std::pow(rng.normal(), 2) + std::pow(rng.normal(), 2)) / 3);
    });
    table.edit(7, [&](Index, double x) { return x > 2 ? 1 : 0; });
    CHECK(names(review(table, Task::multiclass)) == "");
  }
}

TEST_CASE("a cell with a misplaced decimal point is named by row and column, also in a large set") {
  for (const Index rows : {300, 20'000}) {
    CAPTURE(rows);
    const Table table = classes(rows);
    table.at(rows - 77, 3) = 10'000;
    const auto found = review(table, Task::multiclass);
    REQUIRE(names(found) == "outliers");
    CHECK(found[0].where == "column 3 of the inputs, row " + std::to_string(rows - 77));
    CHECK(found[0].severity == Severity::warning);
    CHECK(contains(found[0].details, ".robust = true"));
  }
}

TEST_CASE("a wrong target of a regression is an outlier") {
  const Table table = values(300);
  table.target(17) = 400;
  const auto found = review(table, Task::regression);
  REQUIRE(names(found) == "outliers");
  CHECK(contains(found[0].where, "column 0 of the targets, row 17"));
}

TEST_CASE("a missing value that is coded as a number is named with its code") {
  for (const double code : {-999.0, 99.0, -1e6}) {
    CAPTURE(code);
    const Table table = classes(300);
    table.edit(2, [&](Index i, double x) { return i % 20 == 3 ? code : x; });
    const auto found = review(table, Task::multiclass);
    REQUIRE(names(found) == "coded_missing");
    CHECK(found[0].severity == Severity::warning);
    CHECK(contains(found[0].evidence, train::short_form(code, 7)));
  }
  // 0 among blood pressures.
  const Table pressures = classes(300);
  pressures.edit(2, [&](Index i, double x) { return i % 20 == 3 ? 0 : 70 + 8 * x; });
  CHECK(names(review(pressures, Task::multiclass)) == "coded_missing");
  // Amounts that are often 0, and a column with three kinds.
  const Table amounts = classes(300);
  amounts.edit(2, [&](Index i, double x) { return i % 5 == 3 ? 0 : std::exp(x); });
  amounts.edit(3, [&](Index i, double) { return i % 3; });
  CHECK(names(review(amounts, Task::multiclass)) == "");
}

TEST_CASE("of many columns with a coded missing value eight are named, and that there are more") {
  const Table table = classes(400, 1, 10);
  for (Index j = 0; j < 10; ++j) table.edit(j, [&](Index i, double x) { return i % 20 == j ? -999 : x; });
  const auto found = review(table, Task::multiclass);
  REQUIRE(find(found, "coded_missing"));
  CHECK(find(found, "coded_missing")->details == "10 columns have such values: 0, 1, 2, 3, 4, 5, 6, 7, ...");
}

TEST_CASE("missing targets that are coded as a number are reported") {
  const Table table = values(300);
  for (Index i = 5; i < 300; i += 30) table.target(i) = -999;
  const auto found = review(table, Task::regression);
  REQUIRE(find(found, "coded_missing"));
  CHECK(contains(find(found, "coded_missing")->where, "targets"));
}

TEST_CASE("a column in two units is reported with their ratio") {
  const Table lengths = classes(400);
  lengths.edit(1, [](Index i, double x) { return (1.7 + 0.1 * x) * (i % 7 == 0 ? 1000 : 1); });
  const auto found = review(lengths, Task::multiclass);
  REQUIRE(find(found, "mixed_units"));
  CHECK(contains(find(found, "mixed_units")->evidence, "1000 times as large"));
  const Table feet = classes(400);
  feet.edit(1, [](Index i, double x) { return (1.7 + 0.1 * x) * (i % 7 == 0 ? 3.2808 : 1); });
  CHECK(find(review(feet, Task::multiclass), "mixed_units"));
  const Table changes = classes(400);  // of either sign
  changes.edit(1, [](Index i, double x) { return (i % 2 == 0 ? 1 : -1) * (1.7 + 0.1 * x) * (i % 7 == 0 ? 100 : 1); });
  CHECK(find(review(changes, Task::multiclass), "mixed_units"));
}

TEST_CASE("a large offset that takes the digits of a float is reported") {
  const Table table = classes(300);
  table.edit(1, [](Index, double x) { return 1.6e9 + 10'000 * x; });
  CHECK(find(review(table, Task::multiclass), "large_offset"));
}

TEST_CASE("constant columns are a note, and a warning when they are half of all; the background of images is none") {
  const Table one = classes(300);
  one.edit(3, [](Index, double) { return 4; });
  const auto found = review(one, Task::multiclass);
  REQUIRE(find(found, "constant_columns"));
  CHECK(find(found, "constant_columns")->severity == Severity::note);
  for (const Index j : {2, 4}) one.edit(j, [](Index, double) { return 0; });
  CHECK(find(review(one, Task::multiclass), "constant_columns")->severity == Severity::warning);
  const Table image = classes(300, 1, 12);
  for (Index j = 2; j < 12; ++j) image.edit(j, [&](Index, double x) { return j < 4 || x < 0 ? 0 : x; });
  CHECK(!find(review(image, Task::multiclass), "constant_columns"));
}

TEST_CASE("a column that was added twice is a note") {
  const Table table = classes(300);
  for (Index i = 0; i < 300; ++i) table.at(i, 4) = table.at(i, 2);
  const auto found = review(table, Task::multiclass);
  REQUIRE(find(found, "duplicate_columns"));
  CHECK(find(found, "duplicate_columns")->severity == Severity::note);
  CHECK(contains(find(found, "duplicate_columns")->where, "column 4"));
}

TEST_CASE("fractions that were cut off are reported") {
  const Table table = classes(400);
  for (Index j = 0; j < 5; ++j) table.edit(j, [](Index, double x) { return std::trunc(2 * x); });
  CHECK(find(review(table, Task::multiclass), "truncated_columns"));
}

TEST_CASE("a category that is coded as a number is a note, a count is none") {
  const Table table = values(600);
  const double effect[] = {2, -3, 1, -2, 3, 0};
  for (Index i = 0; i < 600; ++i) {
    table.at(i, 4) = static_cast<Scalar>(i % 6);
    table.target(i) += static_cast<Scalar>(effect[i % 6]);
  }
  CHECK(names(review(table, Task::regression)) == "coded_category");
  const Table weak = values(600);
  for (Index i = 0; i < 600; ++i) {
    weak.at(i, 4) = static_cast<Scalar>(i % 6);
    weak.target(i) += static_cast<Scalar>(0.22 * effect[i % 6]);
  }
  CHECK(names(review(weak, Task::regression)) == "coded_category");
  const Table counts = values(600);
  for (Index i = 0; i < 600; ++i) {
    counts.at(i, 4) = static_cast<Scalar>(i % 6);
    counts.target(i) += static_cast<Scalar>(i % 6);
  }
  CHECK(names(review(counts, Task::regression)) == "");
}

TEST_CASE("a category whose numbers are hashes is a note") {
  const Table table = values(600);
  const double effect[] = {2, -3, 1, -2, 3, 0}, hash[] = {812, 15, 407, 660, 231, 998};
  for (Index i = 0; i < 600; ++i) {
    table.at(i, 4) = static_cast<Scalar>(hash[i % 6]);
    table.target(i) += static_cast<Scalar>(effect[i % 6]);
  }
  CHECK(find(review(table, Task::regression), "coded_category"));
}

TEST_CASE("9 among answers from 1 to 5 or among measurements is a code, among more answers it is one of them") {
  const auto found = [](auto&& answer) {
    const Table table = classes(400);
    table.edit(2, [&](Index i, double x) { return i % 12 == 0 ? 9 : answer(i, x); });
    return find(review(table, Task::multiclass), "coded_missing") != nullptr;
  };
  CHECK(found([](Index i, double) { return 1.0 + static_cast<double>(i % 5); }));
  CHECK(found([](Index, double x) { return x; }));
  CHECK(!found([](Index i, double) { return static_cast<double>(i % 9); }));
  CHECK(!found([](Index i, double) { return 4 + static_cast<double>(i % 4); }));
}

TEST_CASE("one far number that comes twice among outliers that differ is no code for a missing value") {
  const Table table = classes(400, 1, 8);
  for (Index j = 0; j < 8; ++j)
    for (Index i = 0; i < 4; ++i) table.at(40 * j + 7 * i, j) = static_cast<Scalar>(j == 0 ? -500 : 300 + 97 * i);
  const auto found = review(table, Task::multiclass);
  CHECK(find(found, "outliers"));
  CHECK(!find(found, "coded_missing"));
}

TEST_CASE("columns of two or three whole numbers are cut off only where they tell nothing of the target") {
  const Table table = classes(400);
  const auto cut = [&](double by) {
    for (Index j = 0; j < 5; ++j) table.edit(j, [by](Index, double x) { return std::trunc(x / by); });
  };
  cut(2.4);
  Rng rng(1);
  rng.shuffle(table.y.mutable_span());
  CHECK(find(review(table, Task::multiclass), "truncated_columns"));
  const Table signs = classes(400);
  for (Index j = 0; j < 5; ++j) signs.edit(j, [](Index, double x) { return x < -0.5 ? -1 : x > 0.5 ? 1 : 0; });
  CHECK(!find(review(signs, Task::multiclass), "truncated_columns"));
}

TEST_CASE("columns of two numbers throughout are a note, indicators of a category and single flags are none") {
  const auto with = [](auto&& value) {
    const Table table = classes(300);
    for (Index j = 0; j < 5; ++j) table.edit(j, [&](Index i, double x) { return value(i, j, x); });
    const auto found = review(table, Task::multiclass);
    const auto* note = find(found, "truncated_columns");
    return note ? static_cast<int>(note->severity) : -1;
  };
  CHECK(with([](Index, Index, double x) { return x > 0.5 ? 1.0 : 0.0; }) == static_cast<int>(Severity::note));
  CHECK(with([](Index i, Index j, double) { return i * 7 % 5 == j ? 1.0 : 0.0; }) == -1);
  CHECK(with([](Index, Index j, double x) { return j > 0 && x > 0.5 ? 1.0 : j > 0 ? 0.0 : x; }) == -1);
}

TEST_CASE("temperatures in two scales are reported when the same rows have them, two natural groups are not") {
  const auto found = [](double factor, double offset) {
    const Table table = classes(500);
    for (const Index j : {2, 3})
      table.edit(j, [&](Index i, double x) { return i % 5 < 2 ? (15 + 8 * x) * factor + offset : 15 + 8 * x; });
    return review(table, Task::multiclass);
  };
  const auto fahrenheit = found(1.8, 32), kelvin = found(1, 273.15);
  REQUIRE((find(fahrenheit, "mixed_units") && find(kelvin, "mixed_units")));
  CHECK(contains(find(fahrenheit, "mixed_units")->cause, "Fahrenheit"));
  CHECK(contains(find(kelvin, "mixed_units")->cause, "kelvin"));
  CHECK(!find(found(1, 44), "mixed_units"));
  CHECK(!find(found(1.8, 50), "mixed_units"));
}

TEST_CASE("one column in two scales of temperature is reported when they lie far apart") {
  const auto found = [](double offset) {
    const Table table = classes(500);
    table.edit(2, [&](Index i, double x) { return i % 3 == 0 ? 15 + 8 * x + offset : 15 + 8 * x; });
    return find(review(table, Task::multiclass), "mixed_units") != nullptr;
  };
  CHECK(found(273.15));
  CHECK(!found(200));
}

TEST_CASE("a sum of answers whose values are few, one of them next to 0, is in one unit") {
  const Table table = classes(600);
  table.edit(2, [](Index i, double) {
    const int sum = static_cast<int>(i % 23) - 11;
    return sum == 0 ? 0.0125 * (i % 2 == 0 ? 1 : -1) : sum / 1.4;
  });
  CHECK(!find(review(table, Task::multiclass), "mixed_units"));
}
