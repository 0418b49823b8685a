#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

#include <doctest/doctest.h>
#include <handrail/handrail.h>

#include "support/check_throws.h"
#include "support/counting.h"

using namespace handrail;

namespace {

std::vector<std::vector<Index>> numbers_of(const std::vector<train::Rows>& folds) {
  std::vector<std::vector<Index>> all;
  for (const train::Rows& fold : folds) {
    const auto numbers = fold.numbers();
    all.emplace_back(numbers.begin(), numbers.end());
  }
  return all;
}

std::vector<Index> together(const std::vector<std::vector<Index>>& folds) {
  std::vector<Index> all;
  for (const auto& fold : folds) all.insert(all.end(), fold.begin(), fold.end());
  std::ranges::sort(all);
  return all;
}

}  // namespace

TEST_CASE("random folds are a partition of even sizes, in the order of the rows, and follow from the seed") {
  const auto data = counting(103);
  const train::Rows rows(data);
  for (const Index count : {2, 5, 10, 103}) {
    const auto folds = numbers_of(train::random_folds(rows, count, 7));
    CHECK(std::ssize(folds) == count);
    CHECK(together(folds) == range(103));
    for (const auto& fold : folds) {
      CHECK(std::ranges::is_sorted(fold));
      CHECK(std::ssize(fold) >= 103 / count);
      CHECK(std::ssize(fold) <= 103 / count + 1);
    }
    CHECK(numbers_of(train::random_folds(rows, count, 7)) == folds);
    CHECK(numbers_of(train::random_folds(rows, count, 8)) != folds);
  }
  CHECK(numbers_of(train::random_folds(rows, 5, 7))[0] != range(21));
}

TEST_CASE("stratified folds are a partition in which classes and sizes differ by one row at most") {
  const Tensor targets(Shape{141});
  for (Index i = 0; i < 141; ++i) targets.mutable_data()[i] = i < 101 ? 0 : i < 132 ? 1 : 7;
  const train::TensorDataset data(Tensor::zeros({141, 1}), targets);
  const train::Rows rows(data);
  for (const Index count : {2, 3, 5, 10})
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
      const auto folds = numbers_of(train::stratified_folds(rows, count, seed));
      CHECK(together(folds) == range(141));
      for (const auto& fold : folds) {
        CHECK(std::ranges::is_sorted(fold));
        const auto is_even = [count](Index part, Index whole) {
          return part >= whole / count && part <= (whole + count - 1) / count;
        };
        CHECK(is_even(std::ssize(fold), 141));
        for (const auto& [target, size] : {std::pair{0, 101}, {1, 31}, {7, 9}}) {
          const auto in_fold = std::ranges::count_if(fold, [&, c = static_cast<Scalar>(target)](Index row) {
            return targets.span()[static_cast<std::size_t>(row)] == c;
          });
          CHECK(is_even(in_fold, size));
        }
      }
      CHECK(numbers_of(train::stratified_folds(rows, count, seed)) == folds);
      CHECK(numbers_of(train::stratified_folds(rows, count, seed + 1)) != folds);
    }
}

TEST_CASE("stratified folds of rows without classes are random folds, and rows of rows stay rows of the data set") {
  const auto data = counting(40);  // 40 targets that all differ
  const train::Rows rows(data);
  CHECK(numbers_of(train::stratified_folds(rows, 4, 3)) == numbers_of(train::random_folds(rows, 4, 3)));
  const std::vector<Index> odd{1, 3, 5, 7, 9, 11};
  CHECK(together(numbers_of(train::random_folds(rows.pick(odd), 3))) == odd);
}

TEST_CASE("fewer than two folds, and more folds than rows, are refused") {
  const auto data = counting(3), one = counting(1);
  for (const auto folds : {train::random_folds, train::stratified_folds}) {
    check_throws<OptionError>([&] { folds(train::Rows(data), 1, 42); }, "want at least 2 folds; got 1");
    check_throws<OptionError>([&] { folds(train::Rows(data), -5, 42); }, "want at least 2 folds; got -5");
    check_throws<DataError>([&] { folds(train::Rows(data), 4, 42); }, "each of the 4 folds; got 3 rows");
    check_throws<DataError>([&] { folds(train::Rows(one), 2, 42); }, "got 1 row");
    CHECK(folds(train::Rows(data), 3, 42).size() == 3);
  }
}
