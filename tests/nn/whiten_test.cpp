#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <handrail/core/eigen.h>
#include <handrail/core/error.h>
#include <handrail/core/random.h>
#include <handrail/nn/standardize.h>

#include "support/check_throws.h"
#include "support/tensors.h"

using namespace handrail;

namespace {

Eigen::MatrixXd covariance(const Tensor& x) {
  const Eigen::MatrixXd m = to_eigen<double>(x), centred = m.rowwise() - m.colwise().mean();
  return centred.transpose() * centred / static_cast<double>(m.rows());
}

double distance(const Eigen::MatrixXd& a, const Eigen::MatrixXd& b) { return (a - b).cwiseAbs().maxCoeff(); }

// Rows of standard normal numbers z times [features, features]: [rows, features].
Eigen::MatrixXd mixed(Index rows, const Eigen::MatrixXd& mixing, std::uint64_t seed) {
  Rng rng(seed);
  return to_eigen<double>(normal({rows, mixing.rows()}, 0, 1, rng)) * mixing;
}

nn::Standardize whitened(const Tensor& x) { return nn::Standardize::fit(x, {.whiten = true}); }

// The largest output of the layer, which must be finite.
double largest(const nn::Standardize& layer, const Tensor& x) {
  const Eigen::MatrixXd y = to_eigen<double>(layer(x));
  REQUIRE(y.allFinite());
  return y.cwiseAbs().maxCoeff();
}

}  // namespace

TEST_CASE("whitening gives the training data mean 0 and the identity as covariance") {
  // More rows than are read at a time, correlations of 0.98 and 0.999, columns of any scale and far from zero.
  Eigen::MatrixXd mixing = Eigen::MatrixXd::Identity(4, 4);
  mixing(0, 1) = 5;
  mixing(1, 2) = 20;
  mixing(0, 3) = 1;
  Eigen::MatrixXd x = mixed(1000, mixing, 3);
  x.rowwise() += Eigen::RowVector4d(0, 50, -300, 2);
  x *= Eigen::Vector4d(1, 1e-30, 1e30, 1e3).asDiagonal();
  const Tensor inputs = from_eigen(x);
  const Tensor y = whitened(inputs)(inputs);
  CHECK(distance(covariance(y), Eigen::Matrix4d::Identity()) < 1e-4);
  CHECK(to_eigen<double>(y).colwise().mean().cwiseAbs().maxCoeff() < 1e-4);
  CHECK(distance(covariance(nn::Standardize::fit(inputs)(inputs)), Eigen::Matrix4d::Identity()) > 0.9);
}

TEST_CASE("the whitening is the inverse square root of the correlation matrix") {
  const Tensor x = from_eigen(mixed(300, (Eigen::Matrix2d() << 1, 0.8, 0, 0.5).finished(), 4));
  const nn::Standardize layer = whitened(x), plain = nn::Standardize::fit(x);
  CHECK(same_bits(layer.mean, plain.mean));
  CHECK(same_bits(layer.inverse, plain.inverse));
  CHECK_FALSE(plain.whiten.defined());
  // Of [[1, r], [r, 1]] in closed form.
  const double r = covariance(plain(x))(0, 1), more = 1 / std::sqrt(1 + r), less = 1 / std::sqrt(1 - r);
  check_values(layer.whiten, {(more + less) / 2, (more - less) / 2, (more - less) / 2, (more + less) / 2}, 1e-5);
  check_values(
      layer.color,
      {(1 / more + 1 / less) / 2, (1 / more - 1 / less) / 2, (1 / more - 1 / less) / 2, (1 / more + 1 / less) / 2},
      1e-5);
  check_values(layer(x), [&] {
    const MatrixMap::PlainObject want = matrix(plain(x)) * matrix(layer.whiten);
    return std::vector<double>(want.data(), want.data() + want.size());
  }());
}

TEST_CASE("uncorrelated columns are whitened by standardising them") {
  const Tensor x({4, 2}, {1, 10, 1, 30, 5, 10, 5, 30});
  CHECK(distance(to_eigen<double>(whitened(x).whiten), Eigen::Matrix2d::Identity()) < 1e-7);
  check_values(whitened(x)(x), {-1, -1, -1, 1, 1, -1, 1, 1});
}

TEST_CASE("directions in which the inputs do not vary are not magnified") {
  Eigen::MatrixXd mixing = Eigen::MatrixXd::Zero(3, 6);
  mixing.leftCols(3).setIdentity();
  mixing(0, 3) = -3;                        // a multiple of another column
  mixing(1, 4) = mixing(2, 4) = 0.1;        // a sum of two
  for (const double offset : {0.0, 1e4}) {  // column 5 is constant
    CAPTURE(offset);
    Eigen::MatrixXd x = mixed(500, mixing, 5).array() + offset;
    const nn::Standardize layer = whitened(from_eigen(x));
    CHECK(largest(layer, from_eigen(x)) < 6);
    // The first two directions have the variance that is left to them, and each row is of rank 3.
    const Eigen::MatrixXd seen = covariance(layer(from_eigen(x)));
    CHECK(seen.trace() == doctest::Approx(3).epsilon(1e-3));
    // A row that breaks the rules of the training data by one standard deviation stays of that size.
    x(0, 3) += 3;
    CHECK(largest(layer, from_eigen(x.topRows(1))) < 6);
  }
}

TEST_CASE("whitening takes fewer rows than features, a single row and constants of any size") {
  Rng rng(6);
  const Tensor few = normal({5, 20}, 3, 2, rng);
  const nn::Standardize layer = whitened(few);
  CHECK(largest(layer, few) < 6);
  CHECK(largest(layer, normal({100, 20}, 3, 2, rng)) < 30);
  // Four directions vary.
  CHECK(covariance(layer(few)).trace() == doctest::Approx(4).epsilon(1e-4));

  const nn::Standardize one = whitened(Tensor({1, 3}, {5, -7e6, static_cast<Scalar>(1e30)}));
  CHECK(same_bits(one.whiten, from_eigen(Eigen::MatrixXd::Identity(3, 3))));
  CHECK(same_bits(one.color, one.whiten));

  // What is left of a column that counts as constant is large here, and says nothing about the other columns.
  Eigen::MatrixXd x = mixed(200, (Eigen::Matrix3d() << 1, 0.99, 0, 0, 0.1, 0, 0, 0, 0).finished(), 7);
  x.col(2).setConstant(-7e20);
  x(0, 2) *= 1 + 1e-7;
  const Tensor y = whitened(from_eigen(x))(from_eigen(x));
  CHECK(distance(covariance(y).topLeftCorner(2, 2), Eigen::Matrix2d::Identity()) < 1e-4);
}

TEST_CASE("whitening can be undone") {
  Eigen::MatrixXd mixing = Eigen::MatrixXd::Identity(3, 3);
  mixing(0, 1) = 3;
  const Tensor x = from_eigen((mixed(50, mixing, 8).array() + 4).eval());
  const nn::Standardize layer = whitened(x);
  CHECK(distance(to_eigen<double>(layer.undo(layer(x))), to_eigen<double>(x)) < 1e-4);
  check_throws<ShapeError>([&] { layer.undo(Tensor::ones({2, 1})); }, "Standardize: want y [..., 3]; got y [2, 1]");
  check_throws<ShapeError>([&] { layer(Tensor::ones({2, 1})); }, "Standardize: want x [..., 3]; got x [2, 1]");
}

TEST_CASE("the matrices of a whitening are buffers, and start as the identity when they are to be loaded") {
  const nn::Standardize layer(2, {.whiten = true});
  CHECK(layer.parameters().empty());
  REQUIRE(layer.buffers().size() == 4);
  CHECK(layer.buffers()[0].name == "mean");
  CHECK(layer.buffers()[1].name == "inverse");
  CHECK(layer.buffers()[2].name == "whiten");
  CHECK(layer.buffers()[3].name == "color");
  const Tensor x({2, 2}, {1, 2, 3, 4});
  CHECK(same_bits(layer(x), x));
  CHECK(same_bits(layer.undo(x), x));
}

TEST_CASE("whitening is fitted on data that Standardize takes, and refuses what it refuses") {
  struct Data {
    Tensor x;
    const Tensor& inputs() const { return x; }
  };
  const Data data{Tensor({3, 2}, {1, 5, 2, 6, 3, 9})};
  CHECK(same_bits(nn::Standardize::fit(data, {.whiten = true}).whiten, whitened(data.x).whiten));
  check_throws<ShapeError>([] { whitened(Tensor::ones({3, 0})); }, "want inputs [N, features], not empty; got [3, 0]");
  data.x.mutable_data()[3] = std::numeric_limits<Scalar>::infinity();
  check_throws<DataError>([&] { whitened(data.x); }, "Standardize: want finite inputs; got inf in row 1, column 1");
}
