#include <handrail/nn/init.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include <handrail/core/eigen.h>
#include <handrail/core/error.h>

#include "support/check_throws.h"
#include "support/tensors.h"

using namespace handrail;

namespace {

constexpr Index in = 150, out = 250;  // 37500 elements: variances within 3 %

struct Moments {
  double mean = 0, variance = 0;
};
Moments moments(const Tensor& tensor) {
  const auto n = static_cast<double>(tensor.size());
  Moments m;
  for (const Scalar e : tensor.span()) m.mean += static_cast<double>(e) / n;
  for (const Scalar e : tensor.span()) m.variance += std::pow(static_cast<double>(e) - m.mean, 2) / n;
  return m;
}

void check_uniform(const Tensor& tensor, double low, double high) {
  const auto [least, most] = std::ranges::minmax(tensor.span());
  const double width = high - low;
  CHECK(static_cast<double>(least) >= low - 1e-7);
  CHECK(static_cast<double>(least) < low + 0.01 * width);
  CHECK(static_cast<double>(most) <= high + 1e-7);
  CHECK(static_cast<double>(most) > high - 0.01 * width);
  CHECK(moments(tensor).variance == doctest::Approx(width * width / 12).epsilon(0.03));
}

void check_normal(const Tensor& tensor, double mean, double stddev) {
  const Moments m = moments(tensor);
  CHECK(std::abs(m.mean - mean) < 5 * stddev / std::sqrt(static_cast<double>(tensor.size())));
  CHECK(m.variance == doctest::Approx(stddev * stddev).epsilon(0.04));
  std::size_t within = 0;
  for (const Scalar e : tensor.span()) within += std::abs(static_cast<double>(e) - mean) < stddev ? 1u : 0u;
  CHECK(static_cast<double>(within) / static_cast<double>(tensor.size()) == doctest::Approx(0.6827).epsilon(0.02));
}

}  // namespace

TEST_CASE("kaiming_uniform fills +-gain * sqrt(3 / in)") {
  Rng rng{1};
  const Tensor weight({in, out});
  nn::init::kaiming_uniform(weight, rng);
  const double relu_bound = std::sqrt(6.0 / in);
  check_uniform(weight, -relu_bound, relu_bound);
  nn::init::kaiming_uniform(weight, rng, 1);
  check_uniform(weight, -std::sqrt(3.0 / in), std::sqrt(3.0 / in));
}

TEST_CASE("kaiming_normal has a standard deviation of gain / sqrt(in)") {
  Rng rng{2};
  const Tensor weight({in, out});
  nn::init::kaiming_normal(weight, rng);
  check_normal(weight, 0, std::sqrt(2.0 / in));
  nn::init::kaiming_normal(weight, rng, 3);
  check_normal(weight, 0, 3 / std::sqrt(static_cast<double>(in)));
}

TEST_CASE("xavier_uniform fills +-gain * sqrt(6 / (in + out))") {
  Rng rng{3};
  const Tensor weight({in, out});
  nn::init::xavier_uniform(weight, rng);
  const double bound = std::sqrt(6.0 / (in + out));
  check_uniform(weight, -bound, bound);
  nn::init::xavier_uniform(weight, rng, 2);
  check_uniform(weight, -2 * bound, 2 * bound);
}

TEST_CASE("xavier_normal has a standard deviation of gain * sqrt(2 / (in + out))") {
  Rng rng{4};
  const Tensor weight({in, out});
  nn::init::xavier_normal(weight, rng);
  check_normal(weight, 0, std::sqrt(2.0 / (in + out)));
}

TEST_CASE("orthogonal gives orthonormal columns, or rows of a wide weight, times the gain") {
  Rng rng{6};
  for (const Shape& shape : {Shape{40, 30}, {30, 40}, {64, 64}, {200, 1}, {1, 200}, {1, 1}})
    for (const double gain : {1.0, nn::init::relu_gain}) {
      const Tensor weight(shape);
      nn::init::orthogonal(weight, rng, gain);
      Eigen::MatrixXd w = to_eigen<double>(weight);
      if (w.rows() < w.cols()) w.transposeInPlace();
      const Eigen::MatrixXd wanted = gain * gain * Eigen::MatrixXd::Identity(w.cols(), w.cols());
      const double error = (w.transpose() * w - wanted).cwiseAbs().maxCoeff();
      CHECK_MESSAGE(error < 1e-6, shape, " with gain ", gain);
    }
}

TEST_CASE("all orthogonal weights are equally likely") {
  // Q with the signs as the decomposition gives them has a first element that is never positive.
  constexpr int runs = 4000, n = 3;
  Rng rng{7};
  Eigen::ArrayXXd sums = Eigen::ArrayXXd::Zero(n, n), squares = sums;
  double traces = 0;
  for (int run = 0; run < runs; ++run) {
    const Tensor weight({n, n});
    nn::init::orthogonal(weight, rng);
    const Eigen::ArrayXXd w = to_eigen<double>(weight);
    sums += w;
    squares += w.square();
    traces += std::pow(w.matrix().trace(), 2);
  }
  // An element has mean 0 and variance 1 / n. The squared trace has mean 1 (Diaconis and Shahshahani 1994).
  CHECK((sums / runs).abs().maxCoeff() < 4 * std::sqrt(1.0 / n / runs));
  CHECK((squares / runs - 1.0 / n).abs().maxCoeff() < 0.02);
  CHECK(traces / runs == doctest::Approx(1).epsilon(0.1));
}

TEST_CASE("uniform and normal fill tensors of any rank") {
  Rng rng{5};
  const Tensor tensor({25, 30, 50});
  nn::init::uniform(tensor, rng, -1, 3);
  check_uniform(tensor, -1, 3);
  nn::init::normal(tensor, rng, 5, 0.5);
  check_normal(tensor, 5, 0.5);
}

TEST_CASE("initial values are written in place and follow from the seed") {
  using Init = std::function<void(const Tensor&, Rng&)>;
  const std::vector<Init> all{[](const Tensor& t, Rng& r) { nn::init::kaiming_uniform(t, r); },
                              [](const Tensor& t, Rng& r) { nn::init::kaiming_normal(t, r); },
                              [](const Tensor& t, Rng& r) { nn::init::xavier_uniform(t, r); },
                              [](const Tensor& t, Rng& r) { nn::init::xavier_normal(t, r); },
                              [](const Tensor& t, Rng& r) { nn::init::orthogonal(t, r); },
                              [](const Tensor& t, Rng& r) { nn::init::uniform(t, r, 0, 1); },
                              [](const Tensor& t, Rng& r) { nn::init::normal(t, r, 0, 1); }};
  for (const Init& init : all) {
    const Tensor a = leaf(Tensor::zeros({3, 4})), b = Tensor::zeros({3, 4}), c = Tensor::zeros({3, 4});
    const std::uint32_t version = a.version();
    Rng one{9}, again{9}, other{10};
    init(a, one);
    init(b, again);
    init(c, other);
    CHECK(a.requires_grad());
    CHECK(a.version() != version);
    CHECK(same_bits(a, b));
    CHECK_FALSE(same_bits(a, c));
  }
}

TEST_CASE("fans need a weight of two dimensions") {
  Rng rng{1};
  check_throws<ShapeError>([&] { nn::init::kaiming_uniform(Tensor::zeros({3}), rng); },
                           "kaiming_uniform: want a weight [in, out]; got [3]");
  check_throws<ShapeError>([&] { nn::init::kaiming_normal(Tensor::zeros({3, 2, 1}), rng); }, "kaiming_normal: want");
  check_throws<ShapeError>([&] { nn::init::xavier_uniform(Tensor::zeros({0, 2}), rng); }, "xavier_uniform: want");
  check_throws<ShapeError>([&] { nn::init::xavier_normal(Tensor::scalar(1), rng); }, "xavier_normal: want");
  check_throws<ShapeError>(
      [&] {
        nn::init::orthogonal(Tensor::zeros({2, 3, 4}), rng);
      },
      "orthogonal: want a weight [in, out]; got [2, 3, 4]");
}
