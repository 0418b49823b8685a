#include <cmath>

#include <doctest/doctest.h>
#include <handrail/train/checks/internal/neighbour_checks.h>
#include <handrail/train/checks/internal/recoding.h>

#include "train/checks/tables.h"

using namespace handrail;
using train::Task;
using namespace tables;

TEST_CASE("targets that are a row late or early are reported with the direction") {
  for (const Index shift : {1, -1}) {
    CAPTURE(shift);
    for (const Task task : {Task::multiclass, Task::regression}) {
      const Table table = task == Task::regression ? values(400) : classes(400);
      const Table late{table.x, table.y.clone()};
      for (Index i = 0; i < 400; ++i) late.target(i) = table.target((i + 400 + shift) % 400);
      const auto found = review(late, task);
      REQUIRE(find(found, "labels_shifted"));
      CHECK(contains(find(found, "labels_shifted")->evidence, shift < 0 ? "behind" : "before"));
    }
  }
}

TEST_CASE("targets in another order than the inputs have no signal, others have") {
  for (const std::uint64_t seed : {1u, 2u, 3u, 4u, 5u}) {
    const Table table = classes(400, seed);
    const auto signal = [&] {
      const auto data = table.data();
      return train::review_data({train::Rows(data)}, nullptr, {}, Task::multiclass, true).label_signal;
    };
    REQUIRE(signal());
    CHECK(*signal() > 6);
    Rng rng(seed);
    rng.shuffle(table.y.mutable_span());
    CHECK(*signal() < 3);
    CHECK(names(review(table, Task::multiclass)) == "");
  }
}

TEST_CASE("validation labels by another numbering are reported") {
  const Table train_set = classes(600);
  Table validation = classes(150, 2);
  for (Index i = 0; i < 150; ++i) validation.target(i) = 2 - validation.target(i);
  const auto found = review(train_set, &validation, Task::multiclass);
  REQUIRE(find(found, "labels_recoded"));
  CHECK(contains(find(found, "labels_recoded")->evidence, "0 for 2, 2 for 0"));
}

TEST_CASE("two classes of different frequency that were exchanged in validation are reported") {
  const Table train_set = classes(600);
  Table validation = classes(200, 2);
  for (const Table* table : {&train_set, static_cast<const Table*>(&validation)})
    for (Index i = 0; i < table->rows(); ++i) table->target(i) = table->target(i) == 2 ? 1 : 0;
  CHECK(!find(review(train_set, &validation, Task::binary), "labels_recoded"));
  for (Index i = 0; i < 200; ++i) validation.target(i) = 1 - validation.target(i);
  CHECK(find(review(train_set, &validation, Task::binary), "labels_recoded"));
}

TEST_CASE("a recoding takes two classes that are mostly predicted as one other each") {
  CHECK(train::describe_recoding(std::vector<std::size_t>{0, 9, 9, 0}, 2) == "0 for 1, 1 for 0");
  CHECK(train::describe_recoding(std::vector<std::size_t>{9, 0, 0, 9}, 2) == "");
  CHECK(train::describe_recoding(std::vector<std::size_t>{5, 4, 4, 5}, 2) == "");
  CHECK(train::describe_recoding(std::vector<std::size_t>{0, 4, 4, 0}, 2) == "");  // too few rows
  // All predicted as class 0: a model that learnt nothing.
  CHECK(train::describe_recoding(std::vector<std::size_t>{9, 0, 0, 9, 0, 0, 9, 0, 0}, 3) == "");
}

TEST_CASE("validation rows that are training rows with a little noise are reported") {
  Rng rng(4);
  const Table train_set = classes(400);
  const Table copies = classes(80, 2);
  for (Index i = 0; i < 30; ++i)
    for (Index j = 0; j < 5; ++j)
      copies.at(i, j) = static_cast<Scalar>(static_cast<double>(train_set.at(3 * i, j)) + 0.003 * rng.normal());
  const auto found = review(train_set, &copies, Task::multiclass);
  REQUIRE(find(found, "near_duplicates"));
  CHECK(contains(find(found, "near_duplicates")->where, "validation set"));
}

TEST_CASE("rows that were copied several times with a little noise before the split are reported") {
  Rng rng(4);
  const Table originals = classes(100);
  const auto copies = [&](Index rows, Index step) {
    const Table table = classes(rows);
    for (Index i = 0; i < rows; ++i) {
      for (Index j = 0; j < 5; ++j)
        table.at(i, j) =
            static_cast<Scalar>(static_cast<double>(originals.at(i * step % 100, j)) + 0.02 * rng.normal());
      table.target(i) = originals.target(i * step % 100);
    }
    return table;
  };
  const Table train_set = copies(600, 1), held_out = copies(150, 7);
  CHECK(find(review(train_set, &held_out, Task::multiclass), "near_duplicates"));
  const Table others = classes(150, 2);
  CHECK(!find(review(train_set, &others, Task::multiclass), "near_duplicates"));
}

TEST_CASE("rows on a curve are near each other by nature") {
  Rng rng(4);
  const auto curve = [&](Index rows) {
    const Table table = values(rows);
    for (Index i = 0; i < rows; ++i) {
      const double t = rng.uniform(0, 3);
      for (Index j = 0; j < 5; ++j) table.at(i, j) = static_cast<Scalar>(std::sin(t * static_cast<double>(j + 1)));
    }
    return table;
  };
  const Table train_set = curve(400), held_out = curve(100);
  CHECK(!find(review(train_set, &held_out, Task::regression), "near_duplicates"));
}

TEST_CASE("rows of one patient on both sides of a split are reported, those of a split by patient are not") {
  const auto patients = [](std::uint64_t seed, Index rows) {
    Rng rng(seed);
    const Table table = values(rows);
    for (Index i = 0; i < rows; ++i)
      for (Index j = 0; j < table.cols(); ++j)
        table.at(i, j) = table.at(i % (rows / 8), j) + static_cast<Scalar>(0.2 * rng.normal());
    return table;
  };
  const auto part = [](const Table& from, const std::function<bool(Index)>& wanted) {
    std::vector<Scalar> x, y;
    for (Index i = 0; i < from.rows(); ++i) {
      if (!wanted(i)) continue;
      for (Index j = 0; j < from.cols(); ++j) x.push_back(from.at(i, j));
      y.push_back(from.target(i));
    }
    const auto rows = static_cast<Index>(y.size());
    return Table{Tensor({rows, from.cols()}, x), Tensor({rows, 1}, y)};
  };
  const Table all = patients(1, 960);
  const Table some = part(all, [](Index i) { return i % 7 != 0; }),
              other = part(all, [](Index i) { return i % 7 == 0; });
  const auto found = review(some, &other, Task::regression);
  REQUIRE(find(found, "near_duplicates"));
  CHECK(contains(find(found, "near_duplicates")->remedy, "groups"));

  const auto of_patient = [](Index i) { return i % 120 < 100; };
  const Table known = part(all, of_patient), unknown = part(all, [&](Index i) { return !of_patient(i); });
  CHECK(!find(review(known, &unknown, Task::regression), "near_duplicates"));
}
