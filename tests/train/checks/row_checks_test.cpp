#include <doctest/doctest.h>
#include <handrail/core/ops/ops.h>
#include <handrail/train/checks/internal/row_checks.h>

#include "support/guard_runs.h"
#include "train/checks/tables.h"

using namespace handrail;
using train::Batch;
using train::Severity;
using train::Task;
using namespace tables;

TEST_CASE("the same rows again and again are reported") {
  const Table table = classes(320);
  for (Index i = 0; i < 320; ++i) {
    for (Index j = 0; j < 5; ++j) table.at(i, j) = table.at(i % 32, j);
    table.target(i) = table.target(i % 32);
  }
  const auto found = review(table, Task::multiclass);
  REQUIRE(find(found, "repeated_rows"));
  CHECK(contains(find(found, "repeated_rows")->evidence, "320 rows only 32 differ"));
}

TEST_CASE("rows of few categories repeat by nature") {
  Rng rng(5);
  const Table table = classes(400);
  for (Index j = 0; j < 5; ++j) table.edit(j, [&](Index, double) { return static_cast<double>(rng.below(2)); });
  CHECK(!find(review(table, Task::multiclass), "repeated_rows"));
}

TEST_CASE("sets that are too small are reported") {
  CHECK(find(review(classes(15), Task::multiclass), "small_training_set")->severity == Severity::warning);
  CHECK(find(review(classes(55, 1, 60), Task::multiclass), "small_training_set")->severity == Severity::note);
  CHECK(!find(review(classes(100), Task::multiclass), "small_training_set"));
  const Table held_out = classes(600, 2);
  CHECK(contains(find(review(classes(100), &held_out, Task::multiclass), "small_training_set")->evidence,
                 "600 are held"));
  CHECK(!find(review(classes(200), &held_out, Task::multiclass), "small_training_set"));
  CHECK(train::check_validation_size(7, 113)->severity == Severity::warning);
  CHECK(train::check_validation_size(9, 1000)->severity == Severity::note);
  CHECK(train::check_validation_size(7, 112)->severity == Severity::note);
  CHECK(!train::check_validation_size(10, 1000));
}

TEST_CASE("batches of one class are reported as rows in order, mixed ones are not") {
  const Table table = classes(300);
  const auto data = table.data();
  const train::DataTable all = train::read_table({train::Rows(data)});
  const auto batches = [&](Task task, auto target) {
    std::vector<train::Batch> list;
    for (Index b = 0; b < 4; ++b) {
      const Tensor y(task == Task::regression ? Shape{32, 1} : Shape{32});
      for (Index i = 0; i < 32; ++i) y.mutable_data()[i] = static_cast<Scalar>(target(b, i));
      list.push_back({Tensor::zeros({32, 5}), y});
    }
    return list;
  };
  CHECK(train::check_order(all, batches(Task::multiclass, [](Index b, Index) { return b % 3; }), Task::multiclass));
  CHECK(!train::check_order(all, batches(Task::multiclass, [](Index b, Index i) { return (b + i) % 3; }),
                            Task::multiclass));
  const auto numbers = values(300).data();
  const train::DataTable of_numbers = train::read_table({train::Rows(numbers)});
  CHECK(train::check_order(
      of_numbers,
      batches(Task::regression,
              [](Index b, Index i) { return static_cast<double>(b) + 0.01 * static_cast<double>(i); }),
      Task::regression));
  CHECK(!train::check_order(
      of_numbers,
      batches(Task::regression, [](Index b, Index i) { return static_cast<double>((b * 7 + i * 5) % 11) * 0.3 - 1.5; }),
      Task::regression));
}

TEST_CASE("inputs that change under their targets are reported, an augmentation is not") {
  Rng rng(2);
  const Tensor x = normal({32, 8}, 0, 1, rng), y = Tensor::ones({32});
  const Tensor noise = normal({32, 8}, 0, 0.5, rng);
  const Tensor other = normal({32, 8}, 0, 1, rng);
  CHECK(train::check_stability({x, y}, {other, y}));
  CHECK(!train::check_stability({x, y}, {x + noise, y}));
  CHECK(!train::check_stability({x, y}, {x, y}));
  CHECK(!train::check_stability({x, y}, {other, Tensor::zeros({32})}));  // another sample with its own target
}

TEST_CASE("rows that are others at the end of a run are reported, noise that is drawn anew is not") {
  Rng rng(3);
  const Tensor start = normal({32, 5}, 0, 1, rng), targets = Tensor::zeros({32, 1});
  const auto moved = [&](double by) { return Batch{start + normal({32, 5}, 0, by, rng), targets}; };
  const Batch before{start, targets}, far = moved(0.5);
  CHECK(name_of(train::check_unchanged(before, far, far)) == "unstable_data");
  CHECK(name_of(train::check_unchanged(before, far, {far.inputs + normal({32, 5}, 0, 0.1, rng), targets})) ==
        "unstable_data");
  CHECK(name_of(train::check_unchanged(before, moved(0.3), moved(0.3))) == "");
  CHECK(name_of(train::check_unchanged(before, before, before)) == "");
}
