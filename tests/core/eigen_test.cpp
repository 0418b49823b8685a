#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include <handrail/core/eigen.h>
#include <handrail/core/ops/ops.h>

#include "support/check_throws.h"
#include "support/tensors.h"

using namespace handrail;

namespace {

// An op as a user writes it, with Eigen.
Tensor user_softplus(const Tensor& x) {
  Tensor y(x.shape());
  mutable_array(y) = array(x).max(Scalar(0)) + (-array(x).abs()).exp().log1p();
  return Tape::record("user_softplus", {x}, y, [x = Saved(x)](const Backward& b) {
    b[0] += array(b.output_grad()) * (1 + (-array(*x)).exp()).inverse();
  });
}

// x W with x: [N, in], weight: [in, out].
Tensor user_product(const Tensor& x, const Tensor& weight) {
  Tensor y({x.shape()[0], weight.shape()[1]});
  mutable_matrix(y).noalias() = matrix(x) * matrix(weight);
  return Tape::record("user_product", {x, weight}, y, [x = Saved(x), weight = Saved(weight)](const Backward& b) {
    b[0] += matrix(b.output_grad()) * matrix(*weight).transpose();
    b[1] += matrix(*x).transpose() * matrix(b.output_grad());
  });
}

}  // namespace

TEST_CASE("array and matrix are views of the elements") {
  const Tensor t({2, 3}, {1, 2, 3, 4, 5, 6});
  CHECK(array(t).size() == 6);
  CHECK(array(t)[4] == 5);
  CHECK(matrix(t).rows() == 2);
  CHECK(matrix(t)(1, 0) == 4);
  CHECK(matrix(t).data() == t.data());
  // All dimensions but the last are rows.
  CHECK(matrix(t.view({1, 2, 3})).rows() == 2);
  CHECK(matrix(t.view({6})).rows() == 1);
  CHECK(matrix(Tensor::scalar(1)).size() == 1);
}

TEST_CASE("a write through a view counts as one") {
  const Tensor t = Tensor::zeros({2, 2});
  const auto before = t.version();
  mutable_array(t).setConstant(2);
  mutable_matrix(t)(0, 1) = 7;
  CHECK(t.version() == before + 2);
  check_values(t, {2, 7, 2, 2});
}

TEST_CASE("to_eigen copies the elements of any rank into a matrix of its own") {
  const Tensor t({2, 3}, {1, 2, 3, 4, 5, 6});
  auto copy = to_eigen(t);
  copy(0, 0) = 7;
  check_values(t, {1, 2, 3, 4, 5, 6});
  CHECK(copy.row(1) == Eigen::RowVector3f(4, 5, 6).cast<Scalar>());
  // The tensor is a temporary, whose elements the copy outlives.
  const auto sums = to_eigen(t + t);
  CHECK(sums(1, 2) == 12);

  const auto check_size = [](const Tensor& of, Index rows, Index cols) {
    CHECK(to_eigen(of).rows() == rows);
    CHECK(to_eigen(of).cols() == cols);
  };
  check_size(Tensor::scalar(1), 1, 1);
  check_size(t.view({6}), 1, 6);
  check_size(t.view({1, 2, 3}), 2, 3);
  check_size(Tensor::zeros({0, 3}), 0, 3);
  CHECK_THROWS_AS(to_eigen(Tensor()), Error);
}

TEST_CASE("to_eigen casts to the element type that it is asked for") {
  const Eigen::MatrixXd doubles = to_eigen<double>(Tensor({2, 2}, {0.5, 1, 2, 3}));
  CHECK(doubles == (Eigen::Matrix2d() << 0.5, 1, 2, 3).finished());
  const Eigen::MatrixXi classes = to_eigen<int>(Tensor({3}, {2, 0, 1}));
  CHECK(classes == Eigen::RowVector3i(2, 0, 1));
}

TEST_CASE("from_eigen copies any matrix expression in row-major order") {
  Eigen::MatrixXd m(2, 3);  // column-major
  m << 1, 2, 3, 4, 5, 6;
  const auto check = [](const Tensor& t, const Shape& shape, const std::vector<double>& values) {
    CHECK(t.shape() == shape);
    check_values(t, values);
  };
  check(from_eigen(m), {2, 3}, {1, 2, 3, 4, 5, 6});
  check(from_eigen(m.transpose()), {3, 2}, {1, 4, 2, 5, 3, 6});
  check(from_eigen(m.array() + 0.5), {2, 3}, {1.5, 2.5, 3.5, 4.5, 5.5, 6.5});
  check(from_eigen(m * m.transpose()), {2, 2}, {14, 32, 32, 77});
  check(from_eigen(m.array() > 2), {2, 3}, {0, 0, 1, 1, 1, 1});
  check(from_eigen(m.block(0, 1, 2, 2)), {2, 2}, {2, 3, 5, 6});
  check(from_eigen(Eigen::Ref<const Eigen::MatrixXd>(m.rightCols(2))), {2, 2}, {2, 3, 5, 6});
  check(from_eigen(m.cast<Scalar>()), {2, 3}, {1, 2, 3, 4, 5, 6});
  check(from_eigen(m.cast<Scalar>() * m.cast<Scalar>().transpose()), {2, 2}, {14, 32, 32, 77});

  const std::array<std::int16_t, 6> memory{1, 2, 3, 4, 5, 6};
  using Rows = Eigen::Matrix<std::int16_t, Eigen::Dynamic, 2, Eigen::RowMajor>;
  check(from_eigen(Eigen::Map<const Rows>(memory.data(), 3, 2)), {3, 2}, {1, 2, 3, 4, 5, 6});
  check(from_eigen(Eigen::Map<const Rows, 0, Eigen::OuterStride<>>(memory.data(), 2, 2, Eigen::OuterStride<>(4))),
        {2, 2}, {1, 2, 5, 6});
}

TEST_CASE("from_eigen makes a compile-time vector a tensor of one dimension and keeps two of everything else") {
  const Eigen::VectorXi labels = Eigen::Vector3i(2, 0, 1);
  CHECK(from_eigen(labels).shape() == Shape{3});
  check_values(from_eigen(labels), {2, 0, 1});
  CHECK(from_eigen(labels.transpose()).shape() == Shape{3});
  CHECK(from_eigen(Eigen::ArrayXd::LinSpaced(5, 0, 1)).shape() == Shape{5});
  CHECK(from_eigen(Eigen::Matrix<double, 1, 1>(3)).shape() == Shape{1});

  const Eigen::MatrixXd m = Eigen::MatrixXd::Identity(3, 2);
  CHECK(from_eigen(m.col(1)).shape() == Shape{3});
  CHECK(from_eigen(m.row(1)).shape() == Shape{2});
  CHECK(from_eigen(m.rowwise().sum()).shape() == Shape{3});
  CHECK(from_eigen(m.leftCols(1)).shape() == Shape{3, 1});
  CHECK(from_eigen(m.topRows(1)).shape() == Shape{1, 2});

  CHECK(from_eigen(Eigen::MatrixXd(0, 3)).shape() == Shape{0, 3});
  CHECK(from_eigen(Eigen::MatrixXd(3, 0)).shape() == Shape{3, 0});
  CHECK(from_eigen(Eigen::VectorXd(0)).shape() == Shape{0});
}

TEST_CASE("a double beyond the range of a float becomes infinite") {
  const Tensor t = from_eigen(Eigen::Vector2d(1e300, -1e300));
  CHECK(t.at({0}) == std::numeric_limits<Scalar>::infinity());
  CHECK(t.at({1}) == -std::numeric_limits<Scalar>::infinity());
}

TEST_CASE("a tensor of two dimensions goes to Eigen and back without a change") {
  const Tensor t({3, 2}, {1, 2, 3, 4, 5, 6});
  CHECK(same_bits(from_eigen(to_eigen(t)), t));
  CHECK(same_bits(from_eigen(to_eigen<double>(t)), t));
  CHECK(same_bits(from_eigen(matrix(t)), t));
}

TEST_CASE("an op written by a user has value and gradient like one of the library") {
  const Tensor mine = leaf(Tensor({2, 2}, {-2, 0.5, 3, 20})), theirs = leaf(mine.clone());
  Tape tape;
  const Tensor y = user_softplus(mine);
  CHECK(y.op() == std::string("user_softplus"));
  tape.backward(sum(y + softplus(theirs)));
  for (std::size_t i = 0; i < 4; ++i) {
    const auto x = static_cast<double>(mine.span()[i]);
    CHECK(static_cast<double>(y.span()[i]) == doctest::Approx(std::log1p(std::exp(x))));
    CHECK(static_cast<double>(mine.grad().span()[i]) == doctest::Approx(1 / (1 + std::exp(-x))));
    CHECK(static_cast<double>(theirs.grad().span()[i]) == doctest::Approx(1 / (1 + std::exp(-x))));
  }
}

TEST_CASE("gradients of matrix products add up like those of the library") {
  const Tensor x({2, 3}, {1, 2, 3, 4, 5, 6}), first = leaf(Tensor({3, 2}, {1, -1, 2, 0, 0, 3}));
  const Tensor second = leaf(first.clone());
  {
    Tape tape;
    tape.backward(sum(square(user_product(x, first))) + sum(user_product(x, first)));
  }
  Tape tape;
  tape.backward(sum(square(matmul(x, second))) + sum(matmul(x, second)));
  for (std::size_t i = 0; i < 6; ++i)
    CHECK(static_cast<double>(first.grad().span()[i]) == doctest::Approx(static_cast<double>(second.grad().span()[i])));
}

TEST_CASE("the expression of a gradient that nobody needs is not evaluated") {
  const Tensor a = leaf(Tensor::ones({2})), constant = Tensor::ones({2});
  int evaluated = 0;
  Tape tape;
  const Tensor y = Tape::record("counting", {constant, a}, a.clone(), [&evaluated](const Backward& b) {
    CHECK_FALSE(b[0].needed());
    CHECK(b[1].needed());
    for (std::size_t i = 0; i < 2; ++i)
      b[i] += array(b.output_grad()).unaryExpr([&evaluated](Scalar g) {
        ++evaluated;
        return g;
      });
  });
  tape.backward(sum(y));
  CHECK(evaluated == 2);
  check_values(a.grad(), {1, 1});
}

TEST_CASE("a two-dimensional array expression is a gradient, assigned and added") {
  const Tensor a = leaf(Tensor({2, 3}, {1, 2, 3, 4, 5, 6})), constant = a.clone();
  Tape tape;
  const Tensor y = Tape::record("twice", {a}, a.clone(), [constant](const Backward& b) {
    for (int i = 0; i < 2; ++i) b[0] += matrix(b.output_grad()).array() * matrix(constant).array();
  });
  tape.backward(sum(y));
  check_values(a.grad(), {2, 4, 6, 8, 10, 12});
}

TEST_CASE("a sum over rows is the gradient of a vector") {
  const Tensor bias = leaf(Tensor::zeros({3}));
  Tape tape;
  const Tensor y = Tape::record("stretch", {bias}, Tensor::zeros({2, 3}),
                                [](const Backward& b) { b[0] += matrix(b.output_grad()).colwise().sum(); });
  tape.backward(sum(y * 2.0));
  check_values(bias.grad(), {4, 4, 4});
}
