#include <doctest/doctest.h>
#include <handrail/train/checks/internal/drift_checks.h>

#include "train/checks/tables.h"

using namespace handrail;
using train::Severity;
using train::Task;
using namespace tables;

namespace {

std::vector<train::Anomaly> compare(const Table& train_set, const Table& validation, Task task = Task::multiclass) {
  return review(train_set, &validation, task);
}

}  // namespace

TEST_CASE("a column whose mean or scale is off in validation is named with both figures") {
  const Table train_set = classes(400), shifted = classes(100, 2), scaled = classes(100, 2);
  shifted.edit(3, [](Index, double x) { return x + 1.5; });
  auto found = compare(train_set, shifted);
  REQUIRE(names(found) == "validation_drift");
  CHECK(contains(found[0].where, "column 3"));
  scaled.edit(3, [](Index, double x) { return 4 * x; });
  CHECK(names(compare(train_set, scaled)) == "validation_drift");
}

TEST_CASE("a validation set that is not standardised like the training set is reported as that") {
  const Table train_set = classes(400), raw = classes(100, 2);
  for (Index j = 0; j < 5; ++j) raw.edit(j, [&](Index, double x) { return 20 + 5 * x; });
  const auto found = compare(train_set, raw);
  REQUIRE(find(found, "validation_drift"));
  CHECK(contains(find(found, "validation_drift")->cause, "not scaled"));
}

TEST_CASE("columns in another order are told from a drift, by their values or by what they say of the target") {
  const Table train_set = classes(400);
  Table validation = classes(150, 2);
  const auto swap_columns = [](const Table& table, Index a, Index b) {
    for (Index i = 0; i < table.rows(); ++i) std::swap(table.at(i, a), table.at(i, b));
  };
  swap_columns(validation, 0, 3);  // the distributions are the same, but not the correlations with the class
  CHECK(names(compare(train_set, validation)) == "columns_permuted");
  const Table scales = classes(400);
  Table others = classes(150, 2);
  for (Index j = 0; j < 5; ++j)
    for (const Table* table : {&scales, static_cast<const Table*>(&others)})
      table->edit(j,
                  [&](Index, double x) { return 10.0 * static_cast<double>(j) + (1.0 + static_cast<double>(j)) * x; });
  swap_columns(others, 1, 4);
  CHECK(names(compare(scales, others)) == "columns_permuted");
}

TEST_CASE("columns that are nearly always the same, as pixels in a corner, are not taken for exchanged ones") {
  const Table train_set = classes(400), validation = classes(100, 2);
  for (const Index j : {Index{0}, Index{3}}) {
    const auto rare = [&](bool set) { return [set](Index i, double) { return set && i == 7 ? 1.0 : 0.0; }; };
    train_set.edit(j, rare(j == 0));
    validation.edit(j, rare(j == 3));
  }
  CHECK_FALSE(find(compare(train_set, validation), "columns_permuted"));
}

TEST_CASE("training inputs with noise on top of them are reported") {
  Rng rng(9);
  const Table train_set = classes(500);
  for (Index j = 0; j < 5; ++j) train_set.edit(j, [&](Index, double x) { return x + 1.5 * rng.normal(); });
  const auto found = compare(train_set, classes(200, 2));
  REQUIRE(find(found, "noisy_inputs"));
  CHECK(find(found, "noisy_inputs")->severity == Severity::warning);
}

TEST_CASE("a class that is absent from validation is reported unless it is rare") {
  const Table train_set = classes(400), validation = classes(100, 2);
  const auto label = [](const Table& table, Index every) {
    for (Index i = 0; i < table.rows(); ++i) table.target(i) = every > 0 && i % every == 0 ? 1 : 0;
  };
  label(train_set, 8);
  label(validation, 0);
  CHECK(find(compare(train_set, validation), "target_drift"));
  label(train_set, 40);
  CHECK(!find(compare(train_set, validation), "target_drift"));
}

TEST_CASE("classes and targets that differ between the sets are reported") {
  const Table train_set = classes(400);
  Table validation = classes(100, 2);
  for (Index i = 0; i < 100; ++i) validation.target(i) = 2;
  CHECK(find(compare(train_set, validation), "target_drift"));
  const Table numbers = values(400);
  const Table shifted = values(100, 2);
  for (Index i = 0; i < 100; ++i) shifted.target(i) += 3;
  CHECK(find(compare(numbers, shifted, Task::regression), "target_drift"));
}

TEST_CASE("columns in another order are told by how they go with each other, where the target says nothing of them") {
  const auto related = [](std::uint64_t seed, Index rows) {
    const Table table = classes(rows, seed, 6);
    for (Index i = 0; i < rows; ++i) {
      for (Index j = 0; j < 2; ++j)
        table.at(i, j + 1) = static_cast<Scalar>(0.9 * table.at(i, 0) + 0.4 * table.at(i, j + 1));
      table.target(i) = static_cast<Scalar>(i % 3);
    }
    return table;
  };
  const Table train_set = related(1, 500), same = related(2, 250);
  CHECK(names(compare(train_set, same)) == "");
  for (Index i = 0; i < 250; ++i)
    for (Index j = 0; j < 3; ++j) std::swap(same.at(i, j), same.at(i, 5 - j));
  CHECK(names(compare(train_set, same)) == "columns_permuted");
}
