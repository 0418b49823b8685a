#include <handrail/nn/standardize.h>

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <numeric>
#include <span>
#include <vector>

#include <handrail/core/error.h>
#include <handrail/core/ops/ops.h>
#include <handrail/nn/internal/quantile.h>

#include "support/check_throws.h"
#include "support/tensors.h"

using namespace handrail;

TEST_CASE("Standardize brings the columns it was fitted on to mean 0 and standard deviation 1") {
  const Tensor x({4, 2}, {1, 10, 2, 30, 3, 20, 6, 40});
  const nn::Standardize layer = nn::Standardize::fit(x);
  check_values(layer.mean, {3, 25});
  check_values(layer.inverse, {1 / std::sqrt(3.5), 1 / std::sqrt(125)});
  const double a = 1 / std::sqrt(3.5), b = 1 / std::sqrt(125);
  check_values(layer(x), {-2 * a, -15 * b, -a, 5 * b, 0, -5 * b, 3 * a, 15 * b});
  check_values(layer(Tensor({1, 2}, {3, 25})), {0, 0});
}

TEST_CASE("Standardize keeps scale 1 for a constant column") {
  // 0.1 is not exact, so that sums of it round.
  std::vector<Scalar> values;
  for (int i = 0; i < 1000; ++i)
    for (const double constant : {0.0, 0.1, -7e6, 1e-30}) values.push_back(static_cast<Scalar>(constant));
  const nn::Standardize layer = nn::Standardize::fit(Tensor({1000, 4}, values));
  CHECK(same_bits(layer.inverse, Tensor::ones({4})));
  check_values(layer(Tensor({1, 4}, std::span(values).first(4))), {0, 0, 0, 0}, 1e-7);
  check_values(nn::Standardize::fit(Tensor({1, 2}, {5, 6})).inverse, {1, 1});
}

TEST_CASE("Standardize holds for columns far from zero and of any scale") {
  std::vector<Scalar> values;
  for (int i = 0; i < 1001; ++i) {
    values.push_back(static_cast<Scalar>(1e6 + (i - 500)));
    values.push_back(static_cast<Scalar>(1e30 * (i - 500)));
    values.push_back(static_cast<Scalar>(1e-30 * (i - 500)));
  }
  const Tensor x({1001, 3}, values);
  const nn::Standardize layer = nn::Standardize::fit(x);
  const double deviation = std::sqrt((1001.0 * 1001.0 - 1) / 12);
  check_values(layer.inverse, {1 / deviation, 1 / (1e30 * deviation), 1 / (1e-30 * deviation)}, 1e-6);
  const Tensor y = layer(x);
  for (Index i : {Index{0}, Index{500}, Index{1000}})
    for (Index j = 0; j < 3; ++j)
      CHECK(static_cast<double>(y.at({i, j})) ==
            doctest::Approx(static_cast<double>(i - 500) / deviation).epsilon(1e-5));
}

TEST_CASE("Standardize stays finite for a column whose deviation has no finite inverse") {
  const nn::Standardize layer = nn::Standardize::fit(Tensor({2, 1}, {0, std::numeric_limits<Scalar>::denorm_min()}));
  CHECK(std::isfinite(layer.inverse.item()));
  check_values(layer(Tensor({1, 1}, {0})), {0});
}

TEST_CASE("Standardize names row and column of a value that is not finite") {
  for (const Scalar bad : {std::numeric_limits<Scalar>::quiet_NaN(), -std::numeric_limits<Scalar>::infinity()}) {
    const Tensor x = Tensor::ones({4, 3});
    x.mutable_data()[2 * 3 + 1] = bad;
    check_throws<DataError>([&] { nn::Standardize::fit(x); }, "Standardize: want finite inputs; got ",
                            "in row 2, column 1");
    try {
      nn::Standardize::fit(x);
    } catch (const DataError& error) {
      CHECK(error.row == 2);
    }
  }
}

TEST_CASE("Standardize is fitted on a table with rows and takes rows of its width only") {
  check_throws<ShapeError>([] { nn::Standardize::fit(Tensor::ones({3})); },
                           "Standardize: want inputs [N, features], not empty; got [3]");
  check_throws<ShapeError>([] { nn::Standardize::fit(Tensor::ones({0, 3})); }, "got [0, 3]");
  const nn::Standardize layer = nn::Standardize::fit(Tensor::ones({2, 3}));
  check_throws<ShapeError>([&] { layer(Tensor::ones({2, 4})); }, "got x [2, 4]");
  // No broadcast.
  check_throws<ShapeError>([&] { layer(Tensor::ones({2, 1})); }, "Standardize: want x [..., 3]; got x [2, 1]");
  check_throws<ShapeError>([&] { layer(Tensor::scalar(1)); }, "Standardize: want x [..., 3]; got x []");
}

TEST_CASE("Standardize can be undone, for predictions of targets that were standardised") {
  const Tensor x({4, 3}, {1, 10, 5, 2, 30, 5, 3, 20, 5, 6, 40, 5});
  const nn::Standardize layer = nn::Standardize::fit(x);
  const Tensor back = layer.undo(layer(x));
  for (Index i = 0; i < x.size(); ++i)
    CHECK(static_cast<double>(back.data()[i]) == doctest::Approx(static_cast<double>(x.data()[i])).epsilon(1e-6));
  // One standard deviation above the mean; a constant column keeps scale 1.
  check_values(layer.undo(Tensor({1, 3}, {1, 1, 1})), {3 + std::sqrt(3.5), 25 + std::sqrt(125), 6});
  check_throws<ShapeError>([&] { layer.undo(Tensor::ones({2, 1})); }, "Standardize: want y [..., 3]; got y [2, 1]");
}

TEST_CASE("Standardize of a width passes its input on until its constants are loaded") {
  const nn::Standardize layer{3};
  const Tensor x({2, 3}, {1, 2, 3, 4, 5, 6});
  CHECK(same_bits(layer(x), x));
  check_throws<ShapeError>([&] { layer(Tensor::ones({2, 4})); }, "Standardize: want x [..., 3]; got x [2, 4]");
  check_throws<OptionError>([] { nn::Standardize{0}; }, "Standardize: want at least 1 feature; got 0");
}

TEST_CASE("Standardize is fitted on whatever has its inputs at hand") {
  struct Data {
    Tensor x;
    const Tensor& inputs() const { return x; }
  };
  struct Temporary {
    Tensor inputs() const { return Tensor({2, 1}, {1, 5}); }
  };
  CHECK(nn::Standardize::fit(Data{Tensor({2, 1}, {1, 5})}).mean.item() == 3);
  CHECK(nn::Standardize::fit(Temporary{}).inverse.item() == Scalar(0.5));
}

TEST_CASE("Standardize's constants are buffers, and gradients go through it") {
  const nn::Standardize layer = nn::Standardize::fit(Tensor({2, 1}, {1, 5}));
  CHECK(layer.parameters().empty());
  REQUIRE(layer.buffers().size() == 2);
  CHECK(layer.buffers()[0].name == "mean");
  CHECK(layer.buffers()[1].name == "inverse");
  const Tensor x = leaf(Tensor({3, 1}, {1, 2, 3}));
  Tape tape;
  tape.backward(sum(layer(x)));
  check_values(x.grad(), {0.5, 0.5, 0.5});
}

TEST_CASE("robust Standardize takes median and quartiles, which outliers hardly change, and clips them") {
  // 0 to 100 in some order, and a coded missing value.
  std::vector<Scalar> values;
  for (int i = 0; i <= 100; ++i) values.push_back(static_cast<Scalar>(i * 37 % 101));
  values[20] = -999;  // instead of 740 % 101 = 33
  const nn::Standardize layer = nn::Standardize::fit(Tensor({101, 1}, values), {.robust = true});
  check_values(layer.mean, {50});
  check_values(layer.inverse, {1.349 / 51}, 1e-6);  // the quartiles are 24 and 75
  const double z = 1.349, far = -1049 * 1.349 / 51;
  check_values(layer(Tensor({3, 1}, {50, 101, -999})),
               {0, z / std::sqrt(1 + z * z / 9), far / std::sqrt(1 + far * far / 9)}, 1e-6);
  check_values(layer.undo(layer(Tensor({3, 1}, {50, 101, -400}))), {50, 101, -400}, 1e-3);
  CHECK(layer.settings() == "robust");
  CHECK(nn::Standardize(2).settings().empty());
}

TEST_CASE("robust Standardize leaves columns without heavy tails as they are without it, and constant ones") {
  std::vector<Scalar> values;
  for (int i = 0; i < 100; ++i) {
    values.push_back(i % 10 == 0 ? Scalar(4) : Scalar(0));              // a rare indicator
    values.push_back(7);                                                // constant
    values.push_back(static_cast<Scalar>(i * 37 % 101));                // evenly spread
    values.push_back(static_cast<Scalar>(-std::log((i + 0.5) / 100)));  // exponential
    values.push_back(i == 33 ? Scalar(9999) : Scalar(0));               // one value that differs
    values.push_back(static_cast<Scalar>(std::sinh(0.1 * (i - 50))));   // heavy tails
  }
  const Tensor x({100, 6}, values);
  const nn::Standardize robust = nn::Standardize::fit(x, {.robust = true}), plain = nn::Standardize::fit(x);
  check_values(robust.bend, {0, 0, 0, 0, 0, 1.0 / 3}, 1e-6);
  const Tensor z = robust(x), usual = plain(x);
  for (Index i = 0; i < x.size(); ++i)
    if (i % 6 != 5) CHECK(z.data()[i] == usual.data()[i]);
}

TEST_CASE("a single outlier that the deviation hides is clipped all the same") {
  std::vector<Scalar> values;
  for (int i = 0; i < 5000; ++i) values.push_back(static_cast<Scalar>(i * 37 % 101));
  values[7] = 2000;
  const nn::Standardize layer = nn::Standardize::fit(Tensor({5000, 1}, values), {.robust = true});
  CHECK(layer.bend.data()[0] > 0);
  CHECK(layer(Tensor({1, 1}, {2000})).item() < 3);
}

TEST_CASE("robust Standardize refuses what it cannot be combined with") {
  check_throws<OptionError>(
      [] {
        nn::Standardize::fit(Tensor::ones({3, 2}), {.whiten = true, .robust = true});
      },
      "`robust` or `whiten`; got both");
  check_throws<OptionError>([] { nn::Standardize(3, {.whiten = true, .robust = true}); }, "got both");
}

TEST_CASE("an inverted Standardize gives outputs the scale of the targets that it was fitted on") {
  const Tensor y({4, 1}, {10, 20, 30, 60});
  const nn::Standardize there = nn::Standardize::fit(y), back = nn::Standardize::fit(y, {.invert = true});
  const Tensor z({3, 1}, {0, 1, -1});
  CHECK(same_bits(back(z), there.undo(z)));
  CHECK(same_bits(back.undo(y), there(y)));
  CHECK(back.settings() == "invert");
  CHECK_FALSE(back.normalises());
  check_throws<OptionError>([&] { nn::Standardize::fit(y, {.robust = true, .invert = true}); },
                            "Standardize: want `robust` or `invert`; got both");
}

TEST_CASE("a quantile is the value that this share of the values lies below") {
  std::vector<double> values(101);
  std::iota(values.rbegin(), values.rend(), 0.0);
  CHECK(nn::quantile(values, 0) == 0);
  CHECK(nn::quantile(values, 0.9) == 90);
  CHECK(nn::quantile(values, 1) == 100);
  CHECK(nn::quantile(std::vector{4.0, 1.0, 3.0, 2.0}, 0.5) == 2);
}
