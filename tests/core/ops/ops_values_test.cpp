#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <utility>
#include <vector>

#include <handrail/core/ops/ops.h>

#include "support/tensors.h"

using namespace handrail;

TEST_CASE("arithmetic works element by element") {
  const Tensor a({2, 2}, {1, 2, 3, 4}), b({2, 2}, {8, 4, 2, 1});
  check_values(a + b, {9, 6, 5, 5});
  check_values(a - b, {-7, -2, 1, 3});
  check_values(a * b, {8, 8, 6, 4});
  check_values(a / b, {0.125, 0.5, 1.5, 4});
  CHECK((a + b).shape() == Shape{2, 2});
}

TEST_CASE("arithmetic with numbers is affine") {
  const Tensor a({2}, {1, -2});
  check_values(a + 3.0, {4, 1});
  check_values(3.0 + a, {4, 1});
  check_values(a - 3.0, {-2, -5});
  check_values(3.0 - a, {2, 5});
  check_values(a * 4.0, {4, -8});
  check_values(4.0 * a, {4, -8});
  check_values(a / 4.0, {0.25, -0.5});
  check_values(-a, {-1, 2});
  check_values(affine(a, 2, 0.5), {2.5, -3.5});
}

TEST_CASE("a dimension of 1 stretches") {
  const Tensor m({2, 3}, {1, 2, 3, 4, 5, 6}), row({3}, {10, 20, 30}), column({2, 1}, {100, 200});
  check_values(m + row, {11, 22, 33, 14, 25, 36});
  check_values(row - m, {9, 18, 27, 6, 15, 24});
  check_values(m + column, {101, 102, 103, 204, 205, 206});
  check_values(column + row, {110, 120, 130, 210, 220, 230});
  check_values(m * Tensor::scalar(2), {2, 4, 6, 8, 10, 12});
  CHECK((column + row).shape() == Shape{2, 3});
  CHECK((Tensor::ones({1}) + Tensor::ones({1, 1, 1})).shape() == Shape{1, 1, 1});
  // The middle dimension of three, and the outer two of four.
  const Tensor cube({2, 2, 2}, {0, 1, 2, 3, 4, 5, 6, 7}), middle({2, 1, 2}, {10, 20, 30, 40});
  check_values(cube + middle, {10, 21, 12, 23, 34, 45, 36, 47});
  const Tensor outer({2, 1, 2, 1}, {1, 2, 3, 4}), inner({1, 2, 1, 2}, {10, 20, 30, 40});
  check_values(outer + inner, {11, 21, 12, 22, 31, 41, 32, 42, 13, 23, 14, 24, 33, 43, 34, 44});
}

TEST_CASE("tensors without elements go through arithmetic") {
  CHECK((Tensor(Shape{0, 3}) + Tensor::ones({3})).shape() == Shape{0, 3});
  CHECK((Tensor(Shape{0, 3}) * Tensor::ones({1, 3})).shape() == Shape{0, 3});
  CHECK(relu(Tensor(Shape{0})).size() == 0);
  CHECK(sum(Tensor(Shape{0})).item() == 0);
}

TEST_CASE("functions of each element have their closed forms") {
  struct Row {
    const char* name;
    Tensor (*op)(const Tensor&);
    double (*value)(double);
    bool positive_only = false;
  };
  const std::vector<Row> rows{
      {"exp", exp, [](double x) { return std::exp(x); }},
      {"log", log, [](double x) { return std::log(x); }, true},
      {"sqrt", sqrt, [](double x) { return std::sqrt(x); }, true},
      {"square", square, [](double x) { return x * x; }},
      {"abs", abs, [](double x) { return std::abs(x); }},
      {"relu", relu, [](double x) { return std::max(x, 0.0); }},
      {"tanh", tanh, [](double x) { return std::tanh(x); }},
      {"sigmoid", sigmoid, [](double x) { return 1 / (1 + std::exp(-x)); }},
      {"gelu", gelu, [](double x) { return x * 0.5 * (1 + std::erf(x / std::numbers::sqrt2)); }},
      {"softplus", softplus, [](double x) { return std::log1p(std::exp(x)); }},
  };
  // More elements than a vector holds, and a rest.
  Tensor x(Shape{37});
  for (std::size_t i = 0; i < 37; ++i) x.mutable_span()[i] = static_cast<Scalar>((static_cast<double>(i) - 18) / 4);
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const Tensor in = row.positive_only ? affine(square(x), 1, 0.25) : x;
    std::vector<double> want;
    for (const Scalar element : in.span()) want.push_back(row.value(static_cast<double>(element)));
    check_values(row.op(in), want, 2e-6);
  }
}

TEST_CASE("functions of each element keep to their limits far out") {
  const Tensor x({3}, {-1e4F, 0, 1e4F});
  check_values(sigmoid(x), {0, 0.5, 1});
  check_values(tanh(x), {-1, 0, 1});
  check_values(softplus(x), {0, std::numbers::ln2, 1e4});
  check_values(gelu(x), {0, 0, 1e4});
  check_values(relu(x), {0, 0, 1e4});
}

TEST_CASE("the gradients of relu and abs at 0 are 0") {
  const Tensor x = leaf(Tensor({3}, {-1, 0, 2}));
  {
    Tape tape;
    tape.backward(sum(relu(x)));
  }
  check_values(x.grad(), {0, 0, 1});
  x.zero_grad();
  Tape tape;
  tape.backward(sum(abs(x)));
  check_values(x.grad(), {-1, 0, 1});
}

TEST_CASE("pow has the values of std::pow, and a finite gradient at 0") {
  const Tensor x = leaf(Tensor({4}, {0, 2, -2, 0.5}));
  check_values(pow(x, 3), {0, 8, -8, 0.125});
  CHECK(std::isinf(pow(x, -2).at({0})));
  check_values(pow(Tensor({2}, {-2, 0.5}), -2), {0.25, 4});
  check_values(pow(x, 0), {1, 1, 1, 1});
  CHECK(std::isnan(pow(x, 0.5).at({2})));
  const auto gradient = [&](double exponent) {
    x.zero_grad();
    Tape tape;
    tape.backward(sum(pow(x, exponent)));
    return x.grad();
  };
  check_values(gradient(3), {0, 12, 12, 0.75});
  check_values(gradient(1), {1, 1, 1, 1});
  check_values(gradient(0), {0, 0, 0, 0});
}

TEST_CASE("clamp keeps what is within the limits, and its gradient there and on the limits") {
  const Tensor x = leaf(Tensor({5}, {-3, -1, 0.5, 2, 9}));
  Tape tape;
  const Tensor y = clamp(x, -1, 2);
  check_values(y, {-1, -1, 0.5, 2, 2});
  check_values(clamp(x, 0, std::numeric_limits<double>::infinity()), {0, 0, 0.5, 2, 9});
  CHECK(clamp(Tensor(Shape{0}), 0, 1).size() == 0);
  tape.backward(sum(y));
  check_values(x.grad(), {0, 1, 1, 1, 0});
}

TEST_CASE("smooth_clip never passes the limit of its column, and keeps a column without one") {
  const Tensor x = leaf(Tensor({3, 2}, {0, 5, 3, -7, -4, 8192}));
  const Tensor bend({2}, {0.5, 0});
  Tape tape;
  const Tensor y = smooth_clip(x, bend);
  check_values(y, {0, 5, 3 / std::sqrt(3.25), -7, -4 / std::sqrt(5.0), 8192}, 1e-6);
  tape.backward(sum(y));
  check_values(x.grad(), {1, 1, std::pow(3.25, -1.5), 1, std::pow(5.0, -1.5), 1}, 1e-6);
  const auto largest = std::numeric_limits<Scalar>::max();
  check_values(smooth_clip(Tensor({2, 2}, {largest, 0, -std::numeric_limits<Scalar>::infinity(), 0}), bend),
               {2, 0, -2, 0});
  CHECK(smooth_clip(Tensor(Shape{0, 2}), bend).size() == 0);
}

TEST_CASE("matrix products") {
  const Tensor a({2, 3}, {1, 2, 3, 4, 5, 6}), b({3, 2}, {1, 0, 0, 1, 1, 1});
  check_values(matmul(a, b), {4, 5, 10, 11});
  check_values(linear(a, b), {4, 5, 10, 11});
  check_values(linear(a, b, Tensor({2}, {10, 20})), {14, 25, 20, 31});
  CHECK(matmul(Tensor(Shape{2, 0}), Tensor(Shape{0, 3})).shape() == Shape{2, 3});
  check_values(matmul(Tensor(Shape{2, 0}), Tensor(Shape{0, 3})), std::vector<double>(6, 0.0));
  // All dimensions but the last are rows.
  CHECK(linear(a.view({1, 2, 3}), b).shape() == Shape{1, 2, 2});
  CHECK(linear(a.view({6}).view({2, 3}), b).at({1, 1}) == 11);
}

TEST_CASE("reductions over everything and over an axis") {
  const Tensor x({2, 3}, {1, 2, 3, 4, 5, 6});
  CHECK(sum(x).item() == 21);
  CHECK(mean(x).item() == doctest::Approx(3.5));
  CHECK(sum(x).shape() == Shape{});
  check_values(sum(x, 0), {5, 7, 9});
  check_values(sum(x, 1), {6, 15});
  check_values(sum(x, -1), {6, 15});
  check_values(mean(x, 0), {2.5, 3.5, 4.5});
  check_values(mean(x, -1), {2, 5});
  CHECK(sum(x, 0).shape() == Shape{3});
  CHECK(sum(x, 0, true).shape() == Shape{1, 3});
  CHECK(mean(x, 1, true).shape() == Shape{2, 1});
  check_values(sum(x.view({1, 2, 3}), 1), {5, 7, 9});
}

TEST_CASE("a sum over many elements is accurate") {
  const Tensor x = Tensor::full({1'000'000}, Scalar(0.1));
  CHECK(static_cast<double>(sum(x).item()) == doctest::Approx(100'000).epsilon(1e-5));
  CHECK(static_cast<double>(mean(x).item()) == doctest::Approx(0.1).epsilon(1e-5));
}

TEST_CASE("sums over an axis and the gradient of a bias keep their digits over millions of rows") {
  constexpr Index rows = 1 << 22;
  constexpr double tenth = static_cast<double>(Scalar(0.1));
  const auto near = [](Scalar got, double want) {
    CHECK(static_cast<double>(got) == doctest::Approx(want).epsilon(5e-6));
  };
  const Tensor x = Tensor::full({rows, 2}, Scalar(0.1));
  const Tensor by_column = sum(x, 0), by_row = sum(x.view({2, rows}), 1);
  for (const Index i : {0, 1}) {
    near(by_column.at({i}), tenth * rows);
    near(by_row.at({i}), tenth * rows);
  }
  const Tensor bias = leaf(Tensor::zeros({1}));
  Tape tape;
  tape.backward(sum(linear(x, Tensor::ones({2, 1}), bias) * 0.1));
  near(bias.grad().item(), tenth * rows);
}

TEST_CASE("reshape shares the elements and passes the gradient on") {
  const Tensor x = leaf(Tensor({2, 3}, {1, 2, 3, 4, 5, 6}));
  Tape tape;
  const Tensor y = reshape(x, {3, 2});
  CHECK(y.shape() == Shape{3, 2});
  CHECK(y.data() == x.data());
  tape.backward(sum(y * Tensor({3, 2}, {1, 2, 3, 4, 5, 6})));
  check_values(x.grad(), {1, 2, 3, 4, 5, 6});
  CHECK(x.grad().shape() == Shape{2, 3});
}

TEST_CASE("softmax and log_softmax work on the last dimension") {
  const Tensor x({2, 3}, {1, 2, 3, 0, 0, std::log(2.0F)});
  const double total = std::exp(1) + std::exp(2) + std::exp(3);
  const std::vector<double> want{std::exp(1) / total, std::exp(2) / total, std::exp(3) / total, 0.25, 0.25, 0.5};
  check_values(softmax(x), want);
  std::vector<double> logs;
  for (const double p : want) logs.push_back(std::log(p));
  check_values(log_softmax(x), logs);
  check_values(softmax(x.view({1, 2, 3})), want);
}

TEST_CASE("logsumexp is the logarithm that log_softmax subtracts, and drops the last dimension") {
  const Tensor x({2, 3}, {1, 2, 3, 0, 0, std::log(2.0F)});
  check_values(logsumexp(x), {std::log(std::exp(1) + std::exp(2) + std::exp(3)), std::log(4)});
  CHECK(logsumexp(x).shape() == Shape{2});
  CHECK(logsumexp(x.view({2, 1, 3})).shape() == Shape{2, 1});
  CHECK(logsumexp(x.view({6})).shape() == Shape{});
  CHECK(logsumexp(Tensor(Shape{0, 3})).shape() == Shape{0});
}

TEST_CASE("logsumexp is exact for large inputs, and infinite where the maximum of a row is") {
  check_values(logsumexp(Tensor({2, 2}, {10'000, 10'000, -10'000, -10'000})),
               {10'000 + std::numbers::ln2, -10'000 + std::numbers::ln2});
  constexpr Scalar infinity = std::numeric_limits<Scalar>::infinity();
  const Tensor y = logsumexp(Tensor({3, 2}, {infinity, 1, -infinity, -infinity, -infinity, 3}));
  CHECK(y.at({0}) == infinity);
  CHECK(y.at({1}) == -infinity);
  CHECK(y.at({2}) == 3);
}

TEST_CASE("softmax and log_softmax are exact for large inputs") {
  const Tensor x({2, 2}, {10'000, 10'000, -10'000, 10'000});
  check_values(softmax(x), {0.5, 0.5, 0, 1});
  check_values(log_softmax(x), {-std::numbers::ln2, -std::numbers::ln2, -20'000, 0});
}

TEST_CASE("large elementwise ops have the same bits on any number of threads") {
  Tensor x(Shape{1'000'003});
  for (std::size_t i = 0; i < 1'000'003; ++i)
    x.mutable_span()[i] = static_cast<Scalar>(std::sin(static_cast<double>(i)));
  const auto run = [&](int threads) {
    const ThreadCount count(threads);
    const Tensor w = leaf(x.clone());
    Tape tape;
    const Tensor loss = mean(square(tanh(w) + gelu(w)));
    tape.backward(loss);
    return std::pair{loss, w.grad()};
  };
  const auto [loss, grad] = run(1);
  for (const int threads : {2, 8}) {
    const auto [other_loss, other_grad] = run(threads);
    CHECK(same_bits(loss, other_loss));
    CHECK(same_bits(grad, other_grad));
  }
}
