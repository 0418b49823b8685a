#include <limits>
#include <vector>

#include <doctest/doctest.h>
#include <handrail/core/random.h>
#include <handrail/train/checks/internal/scale_checks.h>

using namespace handrail;
using train::Anomaly;
using train::check_input_scale;
using train::check_target_scale;

namespace {

constexpr Index row_count = 500, col_count = 8;

Tensor standard() {
  Rng rng(3);
  return normal({row_count, col_count}, 0, 1, rng);
}

// Column j becomes x * scale + shift.
Tensor with_column(const Tensor& x, Index j, double scale, double shift = 0) {
  const Tensor y = x.clone();
  for (Index i = 0; i < y.shape()[0]; ++i) {
    Scalar& value = y.mutable_data()[i * y.shape()[1] + j];
    value = static_cast<Scalar>(static_cast<double>(value) * scale + shift);
  }
  return y;
}

Tensor times(const Tensor& x, double scale) {
  const Tensor y = x.clone();
  for (Scalar& value : y.mutable_span()) value = static_cast<Scalar>(static_cast<double>(value) * scale);
  return y;
}

std::optional<Anomaly> check_inputs(const Tensor& x) {
  const train::TensorDataset data(x, Tensor::zeros({x.shape()[0]}));
  const auto rows = all_rows(data);
  return check_input_scale({{data, rows}});
}

std::optional<Anomaly> check_targets(const Tensor& y) {
  const train::TensorDataset data(Tensor::zeros({y.shape()[0], 1}), y);
  const auto rows = all_rows(data);
  return check_target_scale({{data, rows}});
}

// Pixels in [0, 1], dark in most samples; those of the first column are bright in one sample only.
Tensor pixels() {
  Rng rng(4);
  const Tensor x(Shape{row_count, col_count});
  for (Index i = 0; i < x.size(); ++i)
    x.mutable_data()[i] = i % col_count != 0 && rng.uniform() < 0.2 ? static_cast<Scalar>(rng.uniform()) : Scalar{0};
  x.mutable_data()[7 * col_count] = Scalar(1.0 / 255);
  return x;
}

}  // namespace

TEST_CASE("inputs that are roughly normalised are not reported") {
  CHECK(!check_inputs(standard()));
  CHECK(!check_inputs(pixels()));
  CHECK(!check_inputs(times(standard(), 4)));
  CHECK(!check_inputs(times(standard(), 0.05)));
  CHECK(!check_inputs(with_column(standard(), 2, 10)));
  CHECK(!check_inputs(with_column(standard(), 2, 0.05)));
  CHECK(!check_inputs(with_column(standard(), 2, 0)));  // constant
  CHECK(!check_inputs(with_column(standard(), 2, 0, 4)));
  CHECK(!check_inputs(Tensor::zeros({row_count, 3})));
  const Tensor one_hot = Tensor::zeros({50, 20'000});
  for (Index i = 0; i < 50; ++i) one_hot.mutable_data()[i * 20'000 + i * 7] = 1;
  CHECK(!check_inputs(one_hot));
  CHECK(!check_inputs(Tensor({3, 1}, {1, 2, 3})));  // fewer rows than are looked at for the usual values
}

TEST_CASE("bytes that are normalised by their constants are not reported, pixels from 0 to 255 are") {
  std::vector<std::uint8_t> bytes;
  for (const Scalar x : pixels().span()) bytes.push_back(static_cast<std::uint8_t>(x * 255));
  const train::ByteDataset data({col_count}, bytes, std::vector<std::uint8_t>(row_count));
  const auto rows = all_rows(data);
  CHECK(!check_input_scale({{data, rows}, data.fit_normalization(rows)}));
  CHECK(!check_input_scale({{data, rows}}));
  const auto found = check_input_scale({{data, rows}, train::Normalization{.mean = 0, .stddev = 1.0 / 255}});
  REQUIRE(found);
  CHECK(found->name == "input_scale");
  CHECK(found->evidence.find("root mean square") != std::string::npos);
  CHECK(found->remedy == "put nn::Standardize::fit(train) first in the model");
}

TEST_CASE("inputs that are large or small as a whole are named") {
  CHECK(check_inputs(times(standard(), 20)));
  CHECK(check_inputs(times(pixels(), 1.0 / 255)));
  CHECK(check_inputs(times(standard(), 0.024)));
  const auto year = check_inputs(with_column(standard(), 6, 10, 2000));
  REQUIRE(year);
  CHECK(year->where == "column 6 of the inputs");
}

TEST_CASE("columns of different scale are named with their figures") {
  const auto large = check_inputs(with_column(standard(), 5, 1000));
  REQUIRE(large);
  CHECK(large->where == "column 5 of the inputs");
  const auto small = check_inputs(with_column(standard(), 3, 0.001));
  REQUIRE(small);
  CHECK(small->where.find("columns 3 and ") == 0);
  CHECK(small->evidence.find("times apart: 0.00") != std::string::npos);
}

TEST_CASE("a column that hardly varies about a large value is named") {
  const auto found = check_inputs(with_column(standard(), 1, 0.04, 4));
  REQUIRE(found);
  CHECK(found->where == "column 1 of the inputs");
  CHECK(found->evidence.find("values about 4") == 0);
}

TEST_CASE("inputs that were normalised twice are named") {
  Tensor twice = standard();
  for (Index j = 0; j < col_count; ++j) twice = with_column(twice, j, 0.05, -2);
  const auto found = check_inputs(twice);
  REQUIRE(found);
  CHECK(found->evidence.find("most columns are like it") != std::string::npos);
  Tensor few = standard();
  for (Index j = 0; j < 2; ++j) few = with_column(few, j, 0.1, -2);
  CHECK(!check_inputs(few));
}

TEST_CASE("targets of a regression that are far from 1 in size are named") {
  CHECK(!check_targets(standard()));
  CHECK(!check_targets(times(standard(), 30)));
  CHECK(!check_targets(Tensor::full({50, 1}, 7)));
  CHECK(!check_targets(with_column(standard(), 0, 1, 10)));
  for (const Tensor& targets : {times(standard(), 1000), with_column(standard(), 4, 200, 1000),
                                with_column(standard(), 4, 1e-5), with_column(standard(), 4, 0.5, 60)}) {
    const auto found = check_targets(targets);
    REQUIRE(found);
    CHECK(found->name == "target_scale");
    CHECK(found->remedy.find("standardise the targets") == 0);
  }
  CHECK(check_targets(with_column(standard(), 4, 200, 1000))->where == "column 4 of the targets");
}

TEST_CASE("a value that is not finite hides nothing about the scale of the others") {
  const auto spoilt = [](const Tensor& x) {
    const Tensor y = x.clone();
    for (const Index row : {50, 150, 250})
      y.mutable_data()[row * col_count + 2] = std::numeric_limits<Scalar>::quiet_NaN();
    const train::TensorDataset data(y, Tensor::zeros({row_count}), {.check_finite = false});
    const auto rows = all_rows(data);
    return check_input_scale({{data, rows}});
  };
  CHECK_FALSE(spoilt(standard()));
  CHECK(spoilt(times(standard(), 100)));
}
