#include <algorithm>
#include <cmath>
#include <limits>

#include <doctest/doctest.h>
#include <handrail/handrail.h>

#include "support/check_throws.h"
#include "support/counting.h"

using namespace handrail;

namespace {

std::vector<Index> epoch_order(train::Loader& loader, std::int64_t epoch) {
  loader.start_epoch(epoch);
  std::vector<Index> all;
  for (Index i = 0; i < loader.size(); ++i) std::ranges::copy(loader.rows(i), std::back_inserter(all));
  return all;
}

}  // namespace

TEST_CASE("TensorDataset refuses data that cannot be trained on, naming row and column") {
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

TEST_CASE("constant bytes are normalised with a standard deviation of 1") {
  const train::ByteDataset data({1}, {9, 9}, {0, 1});
  CHECK(data.fit_normalization(std::vector<Index>{0, 1})->stddev == 1);
}

TEST_CASE("an epoch's order is a permutation and a function of seed and epoch alone") {
  const auto data = counting(100);
  train::Loader loader({data, range(100)}, {.batch_size = 32, .shuffle_seed = 7});
  const auto third = epoch_order(loader, 3), fourth = epoch_order(loader, 4);
  CHECK(third != fourth);
  auto sorted = third;
  std::ranges::sort(sorted);
  CHECK(sorted == range(100));
  train::Loader fresh({data, range(100)}, {.batch_size = 32, .shuffle_seed = 7});
  CHECK(epoch_order(fresh, 3) == third);
  train::Loader other({data, range(100)}, {.batch_size = 32, .shuffle_seed = 8});
  CHECK(epoch_order(other, 3) != third);
  train::Loader in_order({data, range(100)}, {.batch_size = 32});
  CHECK(epoch_order(in_order, 3) == range(100));
}

TEST_CASE("batches carry the rows they name; the last may be short, but never a single row") {
  const auto data = counting(70);
  const auto sizes = [&](Index rows, train::LoaderOptions options) {
    const train::Loader loader({data, range(rows)}, options);
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

TEST_CASE("a loader that would have no batch is refused") {
  const auto data = counting(10);
  check_throws<DataError>([&] { train::Loader({data, {}}, {}); }, "at least one row");
  check_throws<DataError>(
      [&] {
        train::Loader({data, range(10)}, {.batch_size = 32, .drop_last = true});
      },
      "drop_last", "32", "10");
  check_throws<OptionError>([&] { train::Loader({data, range(10)}, {.batch_size = 0}); }, "batch_size >= 1");
  const train::Loader loader(data, {.batch_size = 4});
  CHECK(loader.samples() == 10);
  CHECK_THROWS_AS(loader.batch(3), Error);
}

TEST_CASE("a gather that leaves a part of the batch unwritten is found before training") {
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
