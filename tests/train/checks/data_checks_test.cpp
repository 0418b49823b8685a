#include <limits>
#include <numeric>
#include <vector>

#include <doctest/doctest.h>
#include <handrail/core/error.h>
#include <handrail/core/random.h>
#include <handrail/train/checks/internal/data_checks.h>

#include "support/check_throws.h"

using namespace handrail;
using train::check_duplicates;
using train::check_finite;

namespace {

std::vector<Index> range(Index begin, Index end) {
  std::vector<Index> rows(static_cast<std::size_t>(end - begin));
  std::iota(rows.begin(), rows.end(), begin);
  return rows;
}

train::TensorDataset random_rows(Index rows, Index cols) {
  Rng rng(1);
  return {normal({rows, cols}, 0, 1, rng), Tensor::zeros({rows})};
}

void copy_row(const train::TensorDataset& data, Index from, Index to) {
  const Index cols = data.inputs().shape()[1];
  Scalar* inputs = data.inputs().mutable_data();
  for (Index j = 0; j < cols; ++j) inputs[to * cols + j] = inputs[from * cols + j];
}

constexpr Scalar not_a_number = std::numeric_limits<Scalar>::quiet_NaN();

}  // namespace

TEST_CASE("a value that is not finite is named by set, row and column") {
  const auto data = random_rows(1000, 5);
  const std::vector<Index> even = [] {
    std::vector<Index> rows;
    for (Index i = 0; i < 1000; i += 2) rows.push_back(i);
    return rows;
  }();
  CHECK_NOTHROW(check_finite({{data, even}}));
  data.inputs().mutable_data()[701 * 5 + 3] = not_a_number;  // not one of these rows
  CHECK_NOTHROW(check_finite({{data, even}}));
  data.inputs().mutable_data()[702 * 5 + 3] = not_a_number;
  check_throws<DataError>(
      [&] {
        check_finite({{data, even}});
      },
      "finite inputs", "nan", "row 702, column 3", "training set", "checks.finite = off");
  data.inputs().mutable_data()[702 * 5 + 3] = 0;
  data.targets().mutable_data()[998] = -std::numeric_limits<Scalar>::infinity();
  try {
    check_finite({{data, even}, {}, "validation"});
    FAIL_CHECK("want an exception");
  } catch (const DataError& error) {
    CHECK(error.row == 998);
    CHECK(std::string(error.what()).find("finite targets; got -inf in row 998, column 0 of the validation set") !=
          std::string::npos);
  }
}

TEST_CASE("constants that make normalised inputs infinite are found") {
  const train::ByteDataset bytes({2}, {0, 255, 51, 102}, {0, 1});
  const auto rows = range(0, 2);
  CHECK_NOTHROW(check_finite({{bytes, rows}, train::Normalization{.mean = 0.4, .stddev = 0.3}}));
  check_throws<DataError>(
      [&] {
        check_finite({{bytes, rows}, train::Normalization{.mean = 0.4, .stddev = 0}});
      },
      "row 0", "column 0");
}

TEST_CASE("validation rows that are also training rows are counted and named") {
  for (const Index cols : {1, 4, 16, 33}) {
    CAPTURE(cols);
    const auto data = random_rows(1000, cols);
    const auto first = range(0, 900), second = range(900, 1000);
    CHECK(!check_duplicates({{data, first}}, {{data, second}, {}, "validation"}));
    copy_row(data, 17, 950);
    copy_row(data, 18, 951);
    CHECK(!check_duplicates({{data, first}}, {{data, second}, {}, "validation"}));  // two may be chance
    copy_row(data, 899, 999);
    data.targets().mutable_data()[999] = 1;
    const auto found = check_duplicates({{data, first}}, {{data, second}, {}, "validation"});
    REQUIRE(found);
    CHECK(found->name == "duplicate_rows");
    CHECK(found->where == "row 950 of the validation set");
    CHECK(found->evidence.find("3 of 100 validation rows (3 %)") == 0);
    CHECK(found->details.find("row 17; the targets agree in 2") != std::string::npos);
    CHECK(found->cause.find("both sets") != std::string::npos);
    CHECK(found->action == train::Action::proceed);
  }
}

TEST_CASE("a hundredth of the validation rows may be duplicates") {
  const auto data = random_rows(2000, 3);
  const auto first = range(0, 1600), second = range(1600, 2000);
  for (Index i = 0; i < 4; ++i) copy_row(data, i, 1700 + i);
  CHECK(!check_duplicates({{data, first}}, {{data, second}}));
  copy_row(data, 4, 1704);
  CHECK(check_duplicates({{data, first}}, {{data, second}}));
}

TEST_CASE("rows that differ in one number are not duplicates") {
  const auto data = random_rows(200, 9);
  const auto first = range(0, 100), second = range(100, 200);
  for (Index i = 0; i < 100; ++i) {
    copy_row(data, i, 100 + i);
    data.inputs().mutable_data()[(100 + i) * 9 + i % 9] += 1;
  }
  CHECK(!check_duplicates({{data, first}}, {{data, second}}));
}

TEST_CASE("every shared row of small whole numbers is found") {
  for (const Index cols : {2, 3, 4, 5}) {
    CAPTURE(cols);
    const Tensor inputs = Tensor::zeros({2000, cols});
    for (Index i = 0; i < 2000; ++i) {
      Scalar* row = inputs.mutable_data() + i * cols;
      row[i % cols] = static_cast<Scalar>(i % 1000 / 100);
      row[(i + 1) % cols] += static_cast<Scalar>(i % 100 / 10);
      row[(i + 2) % cols] += static_cast<Scalar>(i % 10);
    }
    const train::TensorDataset data(inputs, Tensor::zeros({2000}));
    const auto first = range(0, 1000), second = range(1000, 2000);
    const auto found = check_duplicates({{data, first}}, {{data, second}});
    REQUIRE(found);
    CHECK(found->evidence.find("1000 of 1000") == 0);
  }
}

TEST_CASE("rows that repeat everywhere have another remedy than rows that were copied between sets") {
  Rng rng(2);
  const Tensor inputs(Shape{300, 2});
  for (Scalar& x : inputs.mutable_span()) x = static_cast<Scalar>(rng.below(3));
  const train::TensorDataset data(inputs, Tensor::zeros({300}));
  const auto first = range(0, 270), second = range(270, 300);
  const auto found = check_duplicates({{data, first}}, {{data, second}});
  REQUIRE(found);
  CHECK(found->evidence.find("30 of 30") == 0);
  CHECK(found->cause.find("few distinct values") != std::string::npos);
  CHECK(found->remedy.find("before splitting") != std::string::npos);
}

TEST_CASE("duplicates are found between sets of bytes with the same constants") {
  std::vector<std::uint8_t> a, b;
  for (int i = 0; i < 400; ++i) a.push_back(static_cast<std::uint8_t>(i * 7 % 256));
  b.assign(a.begin() + 40, a.begin() + 80);
  const train::ByteDataset train_set({4}, a, std::vector<std::uint8_t>(100)),
      validation({4}, b, std::vector<std::uint8_t>(10));
  const auto rows = range(0, 100), held_out = range(0, 10);
  const train::Normalization constants{.mean = 0.5, .stddev = 0.25};
  const auto found =
      check_duplicates({{train_set, rows}, constants}, {{validation, held_out}, constants, "validation"});
  REQUIRE(found);
  CHECK(found->evidence.find("10 of 10") == 0);
}
