#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include <doctest/doctest.h>
#include <handrail/handrail.h>

#include "support/check_throws.h"

using namespace handrail;

namespace {

train::TensorDataset counting(Index rows) {
  const Tensor inputs({rows, 2}), targets(Shape{rows});
  for (Index i = 0; i < rows; ++i) {
    inputs.mutable_data()[2 * i] = static_cast<Scalar>(i);
    inputs.mutable_data()[2 * i + 1] = static_cast<Scalar>(-i);
    targets.mutable_data()[i] = static_cast<Scalar>(i);
  }
  return {inputs, targets};
}

std::vector<Index> range(Index count) {
  std::vector<Index> rows(static_cast<std::size_t>(count));
  std::iota(rows.begin(), rows.end(), Index{0});
  return rows;
}

std::vector<Index> epoch_order(train::Loader& loader, std::int64_t epoch) {
  loader.start_epoch(epoch);
  std::vector<Index> all;
  for (Index i = 0; i < loader.size(); ++i) std::ranges::copy(loader.rows(i), std::back_inserter(all));
  return all;
}

}  // namespace

TEST_CASE("TensorDataset refuses what cannot be trained on, naming the place") {
  check_throws<DataError>([] { train::TensorDataset(Tensor(Shape{0, 2}), Tensor(Shape{0})); }, "at least one row");
  check_throws<ShapeError>([] { train::TensorDataset(Tensor::zeros({3, 2}), Tensor::zeros({4})); }, "[3, 2]", "[4]");
  const Tensor bad = Tensor::zeros({3, 2});
  bad.mutable_data()[5] = std::numeric_limits<Scalar>::quiet_NaN();
  check_throws<DataError>([&] { train::TensorDataset(bad, Tensor::zeros({3})); }, "nan", "row 2, column 1");
  CHECK_NOTHROW(train::TensorDataset(bad, Tensor::zeros({3}), {.check_finite = false}));
  const Tensor infinite({3}, {0, std::numeric_limits<Scalar>::infinity(), 0});
  check_throws<DataError>([&] { train::TensorDataset(Tensor::zeros({3, 2}), infinite); }, "targets", "inf", "row 1");
}

TEST_CASE("ByteDataset checks its counts and scales bytes to [0, 1]") {
  check_throws<DataError>([] { train::ByteDataset({2}, {}, {}); }, "at least one sample");
  check_throws<DataError>([] { train::ByteDataset({2}, {1, 2, 3, 4}, {0, 1, 2}); }, "4 bytes", "[2]", "3 labels");
  const train::ByteDataset data({2}, {0, 255, 51, 102}, {7, 9});
  const train::Batch batch = train::first_samples(data, 2);
  CHECK(batch.inputs.shape() == Shape{2, 2});
  CHECK(batch.inputs.at({0, 1}) == 1);
  CHECK(batch.inputs.at({1, 0}) == doctest::Approx(0.2));
  CHECK(batch.targets.at({1}) == 9);
  const std::vector<Index> both{0, 1};
  const auto constants = data.fit_normalization(both);
  REQUIRE(constants);
  CHECK(constants->mean == doctest::Approx(0.4));
  const train::Batch normal{Tensor(Shape{2, 2}), Tensor(Shape{2})};
  data.gather_normalized(both, *constants, normal);
  CHECK(mean(normal.inputs).item() == doctest::Approx(0).epsilon(1e-6));
  CHECK(mean(square(normal.inputs)).item() == doctest::Approx(1));
}

TEST_CASE("a constant byte set keeps scale 1") {
  const train::ByteDataset data({1}, {9, 9}, {0, 1});
  CHECK(data.fit_normalization(std::vector<Index>{0, 1})->stddev == 1);
}

TEST_CASE("a split is a function of the seed, covers all rows once, and has the size asked for") {
  const auto split = train::split_rows(100, 0.1, 42);
  CHECK(split.second.size() == 10);
  std::vector<Index> all = split.first;
  all.insert(all.end(), split.second.begin(), split.second.end());
  std::ranges::sort(all);
  CHECK(all == range(100));
  CHECK(train::split_rows(100, 0.1, 42).second == split.second);
  CHECK(train::split_rows(100, 0.1, 43).second != split.second);
  CHECK(train::split_rows(2, 0.01, 1).second.size() == 1);
  check_throws<OptionError>([] { train::split_rows(10, 1.0, 1); }, "(0, 1)");
  check_throws<DataError>([] { train::split_rows(1, 0.5, 1); }, "at least 2 rows; got 1");
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
      const auto split = train::stratified_split_rows(data, fraction, seed);
      CHECK(std::ssize(split.second) == std::llround(fraction * 140));
      CHECK(std::ranges::is_sorted(split.first));
      CHECK(std::ranges::is_sorted(split.second));
      std::vector<Index> all = split.first;
      all.insert(all.end(), split.second.begin(), split.second.end());
      std::ranges::sort(all);
      CHECK(all == range(140));
      for (const int c : {0, 1, 7}) {
        const double share = fraction * static_cast<double>(of_class(all, c));
        CHECK(of_class(split.second, c) >= std::floor(share));
        CHECK(of_class(split.second, c) <= std::ceil(share));
        CHECK(of_class(split.first, c) > 0);
      }
      CHECK(train::stratified_split_rows(data, fraction, seed).second == split.second);
    }
  CHECK(train::stratified_split_rows(data, 0.1, 1).second != train::stratified_split_rows(data, 0.1, 2).second);
  const auto [first, second] = train::stratified_split(data, 0.25, 3);
  CHECK(first_samples(second, 35).targets.span()[20] ==
        targets.span()[static_cast<std::size_t>(train::stratified_split_rows(data, 0.25, 3).second[20])]);
  CHECK(first.size() == 105);
}

TEST_CASE("a stratified split leaves a class its last row while it can") {
  const train::TensorDataset data(Tensor::zeros({11, 1}), Tensor({11}, {0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1}));
  const auto first_classes = [&](double fraction) {
    std::vector<int> classes;
    for (const Index row : train::stratified_split_rows(data, fraction, 1).first)
      classes.push_back(static_cast<int>(data.targets().span()[static_cast<std::size_t>(row)]));
    return classes;
  };
  CHECK(first_classes(0.8) == std::vector<int>{0, 1});  // 9 of 11 rows: 1.6 and 7.2 of the classes
  CHECK(first_classes(0.95).size() == 1);               // no choice
  check_throws<OptionError>([&] { train::stratified_split_rows(data, 0, 1); }, "(0, 1)");
}

TEST_CASE("targets that are not classes are split as they come") {
  const auto same_as_plain = [](const train::Dataset& data) {
    bool same = true;
    for (std::uint64_t seed = 1; seed <= 10; ++seed)
      same &= train::stratified_split_rows(data, 0.3, seed).second == train::split_rows(data.size(), 0.3, seed).second;
    return same;
  };
  CHECK(same_as_plain(counting(50)));  // a class to a row
  const Tensor classes(Shape{40}), fractions(Shape{40});
  for (Index i = 0; i < 40; ++i) {
    classes.mutable_data()[i] = i < 20 ? 1 : 0;
    fractions.mutable_data()[i] = classes.data()[i] / 2;
  }
  const Tensor inputs = Tensor::zeros({40, 1});
  CHECK(!same_as_plain(train::TensorDataset(inputs, classes)));
  CHECK(same_as_plain(train::TensorDataset(inputs, fractions)));
  CHECK(same_as_plain(train::TensorDataset(inputs, Tensor::zeros({40, 2}))));
}

TEST_CASE("a subset of a subset reads the right rows") {
  const auto [first, second] = train::random_split(counting(50), 0.4, 3);
  CHECK(first.size() == 30);
  CHECK(second.size() == 20);
  const auto [a, b] = train::random_split(second, 0.5, 4);
  const auto rows = train::split_rows(50, 0.4, 3).second;
  const auto inner = train::split_rows(20, 0.5, 4).second;
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

TEST_CASE("an epoch's order is a permutation and a function of seed and epoch alone") {
  const auto data = counting(100);
  train::Loader loader(data, range(100), {.batch_size = 32, .shuffle_seed = 7});
  const auto third = epoch_order(loader, 3), fourth = epoch_order(loader, 4);
  CHECK(third != fourth);
  auto sorted = third;
  std::ranges::sort(sorted);
  CHECK(sorted == range(100));
  train::Loader fresh(data, range(100), {.batch_size = 32, .shuffle_seed = 7});
  CHECK(epoch_order(fresh, 3) == third);
  train::Loader other(data, range(100), {.batch_size = 32, .shuffle_seed = 8});
  CHECK(epoch_order(other, 3) != third);
  train::Loader in_order(data, range(100), {.batch_size = 32});
  CHECK(epoch_order(in_order, 3) == range(100));
}

TEST_CASE("batches carry the rows they name; the last may be short, but never a single row") {
  const auto data = counting(70);
  const auto sizes = [&](Index rows, train::LoaderOptions options) {
    const train::Loader loader(data, range(rows), options);
    std::vector<Index> all;
    for (Index i = 0; i < loader.size(); ++i) {
      const train::Batch batch = loader.batch(i);
      all.push_back(batch.inputs.shape()[0]);
      for (Index r = 0; r < all.back(); ++r)
        CHECK(batch.targets.at({r}) == static_cast<Scalar>(loader.rows(i)[static_cast<std::size_t>(r)]));
    }
    return all;
  };
  using V = std::vector<Index>;
  CHECK(sizes(70, {.batch_size = 32}) == V{32, 32, 6});
  CHECK(sizes(65, {.batch_size = 32}) == V{32, 33});
  CHECK(sizes(64, {.batch_size = 32}) == V{32, 32});
  CHECK(sizes(70, {.batch_size = 32, .drop_last = true}) == V{32, 32});
  CHECK(sizes(1, {.batch_size = 32}) == V{1});
  CHECK(sizes(3, {.batch_size = 1}) == V{1, 1, 1});
  CHECK(sizes(5, {.batch_size = 100}) == V{5});
}

TEST_CASE("a loader refuses to be empty") {
  const auto data = counting(10);
  check_throws<DataError>([&] { train::Loader(data, {}, {}); }, "at least one row");
  check_throws<DataError>([&] { train::Loader(data, range(10), {.batch_size = 32, .drop_last = true}); }, "drop_last",
                          "32", "10");
  check_throws<OptionError>([&] { train::Loader(data, range(10), {.batch_size = 0}); }, "batch_size >= 1");
  const train::Loader loader(data, {.batch_size = 4});
  CHECK(loader.samples() == 10);
  CHECK_THROWS_AS(loader.batch(3), Error);
}

TEST_CASE("a gather that forgets a part of the batch is found before training") {
  struct Forgetful : train::Dataset {
    Index size() const override { return 10; }
    Shape input_shape() const override { return {2}; }
    Shape target_shape() const override { return {}; }
    void gather(std::span<const Index> rows, const train::Batch& batch) const override {
      for (std::size_t i = 0; i < rows.size(); ++i) {
        batch.inputs.mutable_span()[2 * i] = std::numeric_limits<Scalar>::quiet_NaN();  // written, if badly
        if (both_columns) batch.inputs.mutable_span()[2 * i + 1] = 1;
        if (targets) batch.targets.mutable_span()[i] = 0;
      }
    }
    bool both_columns = true, targets = true;
  };
  Forgetful data;
  CHECK_NOTHROW(train::Loader(data, {}));
  data.targets = false;
  check_throws<DataError>([&] { train::Loader(data, {}); }, "element 0 of the targets", "[2]");
  data.both_columns = false;
  check_throws<DataError>([&] { train::Loader(data, {}); }, "element 1 of the inputs", "[2, 2]");
}
