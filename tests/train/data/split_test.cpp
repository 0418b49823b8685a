#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <handrail/handrail.h>

#include "support/check_throws.h"
#include "support/counting.h"

using namespace handrail;

namespace {

using Numbers = std::pair<std::vector<Index>, std::vector<Index>>;

Numbers numbers_of(const std::pair<train::Rows, train::Rows>& parts) {
  const auto first = parts.first.numbers(), second = parts.second.numbers();
  return {{first.begin(), first.end()}, {second.begin(), second.end()}};
}

// The numbers of the two parts of all rows.
Numbers split_numbers(const train::Dataset& data, double fraction, std::uint64_t seed) {
  return numbers_of(train::random_split(train::Rows(data), fraction, seed));
}
Numbers stratified_numbers(const train::Dataset& data, double fraction, std::uint64_t seed) {
  return numbers_of(train::stratified_split(train::Rows(data), fraction, seed));
}

// Of both parts, in ascending order.
std::vector<Index> together(const Numbers& parts) {
  std::vector<Index> all = parts.first;
  all.insert(all.end(), parts.second.begin(), parts.second.end());
  std::ranges::sort(all);
  return all;
}

}  // namespace

TEST_CASE("a split is a function of the seed, covers all rows once, and has the size asked for") {
  const auto data = counting(100), pair = counting(2), one = counting(1);
  const auto split = split_numbers(data, 0.1, 42);
  CHECK(split.second.size() == 10);
  CHECK(together(split) == range(100));
  CHECK(split_numbers(data, 0.1, 42).second == split.second);
  CHECK(split_numbers(data, 0.1, 43).second != split.second);
  CHECK(split_numbers(pair, 0.01, 1).second.size() == 1);
  check_throws<OptionError>([&] { split_numbers(data, 1.0, 1); }, "(0, 1)");
  check_throws<DataError>([&] { split_numbers(one, 0.5, 1); }, "at least 2 rows; got 1");
}

TEST_CASE("a stratified split gives every class its share") {
  const Tensor targets(Shape{140});
  for (Index i = 0; i < 140; ++i) targets.mutable_data()[i] = i < 100 ? 0 : i < 131 ? 1 : 7;
  const train::TensorDataset data(Tensor::zeros({140, 1}), targets);
  const auto of_class = [&](const std::vector<Index>& rows, int c) {
    return std::ranges::count_if(
        rows, [&](Index row) { return targets.span()[static_cast<std::size_t>(row)] == static_cast<Scalar>(c); });
  };
  for (std::uint64_t seed = 1; seed <= 5; ++seed)
    for (const double fraction : {0.1, 0.25, 0.5, 0.9}) {
      const auto split = stratified_numbers(data, fraction, seed);
      CHECK(std::ssize(split.second) == std::llround(fraction * 140));
      CHECK(std::ranges::is_sorted(split.first));
      CHECK(std::ranges::is_sorted(split.second));
      const auto all = together(split);
      CHECK(all == range(140));
      for (const int c : {0, 1, 7}) {
        const double share = fraction * static_cast<double>(of_class(all, c));
        CHECK(of_class(split.second, c) >= std::floor(share));
        CHECK(of_class(split.second, c) <= std::ceil(share));
        CHECK(of_class(split.first, c) > 0);
      }
      CHECK(stratified_numbers(data, fraction, seed).second == split.second);
    }
  CHECK(stratified_numbers(data, 0.1, 1).second != stratified_numbers(data, 0.1, 2).second);
  const auto [first, second] = train::stratified_split(data, 0.25, 3);
  CHECK(first_samples(second, 35).targets.span()[20] ==
        targets.span()[static_cast<std::size_t>(stratified_numbers(data, 0.25, 3).second[20])]);
  CHECK(first.size() == 105);
}

TEST_CASE("a stratified split leaves each class a row while the fraction allows it") {
  const train::TensorDataset data(Tensor::zeros({11, 1}), Tensor({11}, {0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1}));
  const auto first_classes = [&](double fraction) {
    std::vector<int> classes;
    for (const Index row : stratified_numbers(data, fraction, 1).first)
      classes.push_back(static_cast<int>(data.targets().span()[static_cast<std::size_t>(row)]));
    return classes;
  };
  CHECK(first_classes(0.8) == std::vector<int>{0, 1});  // 9 of 11 rows: 1.6 and 7.2 of the classes
  CHECK(first_classes(0.95).size() == 1);               // no choice
  check_throws<OptionError>([&] { stratified_numbers(data, 0, 1); }, "(0, 1)");
}

TEST_CASE("a stratified split of targets that are not classes is a random split") {
  const auto same_as_plain = [](const train::Dataset& data) {
    bool same = true;
    for (std::uint64_t seed = 1; seed <= 10; ++seed)
      same &= stratified_numbers(data, 0.3, seed).second == split_numbers(data, 0.3, seed).second;
    return same;
  };
  CHECK(same_as_plain(counting(50)));  // a class to a row
  const Tensor classes(Shape{40}), fractions(Shape{40}), prices(Shape{40});
  for (Index i = 0; i < 40; ++i) {
    classes.mutable_data()[i] = static_cast<Scalar>(i / 8);
    prices.mutable_data()[i] = static_cast<Scalar>(i / 4);
    fractions.mutable_data()[i] = classes.data()[i] / 2;
  }
  const Tensor inputs = Tensor::zeros({40, 1});
  CHECK(!same_as_plain(train::TensorDataset(inputs, classes)));
  CHECK(same_as_plain(train::TensorDataset(inputs, fractions)));
  CHECK(same_as_plain(train::TensorDataset(inputs, prices)));
  CHECK(same_as_plain(train::TensorDataset(inputs, Tensor::zeros({40, 2}))));
}

TEST_CASE("a subset of a subset reads the right rows") {
  const auto [first, second] = train::random_split(counting(50), 0.4, 3);
  CHECK(first.size() == 30);
  CHECK(second.size() == 20);
  const auto [a, b] = train::random_split(second, 0.5, 4);
  const auto rows = split_numbers(counting(50), 0.4, 3).second;
  const auto inner = split_numbers(counting(20), 0.5, 4).second;
  const train::Batch batch = train::first_samples(b, 10);
  for (std::size_t i = 0; i < 10; ++i)
    CHECK(batch.targets.span()[i] == static_cast<Scalar>(rows[static_cast<std::size_t>(inner[i])]));
  check_throws<DataError>(
      [&] {
        train::Subset(std::make_shared<train::TensorDataset>(counting(5)), {0, 5});
      },
      "[0, 5)", "got 5");
  check_throws<DataError>([&] { train::Subset(std::make_shared<train::TensorDataset>(counting(5)), {}); },
                          "at least one row");
}

TEST_CASE("chosen rows are split into rows of the same data set, in their order") {
  const Tensor targets(Shape{40});
  for (Index i = 0; i < 40; ++i) targets.mutable_data()[i] = static_cast<Scalar>(i % 2);
  const train::TensorDataset data(Tensor::zeros({40, 1}), targets);
  const std::vector<Index> chosen{30, 2, 7, 8, 15, 1, 22, 9};
  const train::Rows rows(data, chosen);
  for (const bool stratified : {false, true}) {
    const auto parts = stratified ? train::stratified_split(rows, 0.5, 4) : train::random_split(rows, 0.5, 4);
    CHECK(&parts.second.dataset() == &data);
    CHECK(parts.second.size() == 4);
    const Numbers numbers = numbers_of(parts);
    auto sorted = chosen;
    std::ranges::sort(sorted);
    CHECK(together(numbers) == sorted);
    auto next = chosen.begin();  // of the first part, in the order they were given in
    for (const Index number : numbers.first) {
      next = std::find(next, chosen.end(), number);
      CHECK(next != chosen.end());
    }
    if (stratified) CHECK(std::ranges::count_if(numbers.second, [](Index n) { return n % 2 == 0; }) == 2);
  }
  const std::vector<Scalar> known{0, 0, 1, 0, 1, 1, 0, 1};
  CHECK(numbers_of(train::stratified_split(rows, known, 0.5, 4)) == numbers_of(train::stratified_split(rows, 0.5, 4)));
  check_throws<ShapeError>(
      [&] {
        train::stratified_split(rows, std::vector<Scalar>{0, 1}, 0.5, 4);
      },
      "each of 8 rows", "got 2");
}
