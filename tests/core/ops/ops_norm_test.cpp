#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <vector>

#include <handrail/core/error.h>
#include <handrail/core/ops/ops.h>

#include "support/check_throws.h"
#include "support/tensors.h"

using namespace handrail;

TEST_CASE("layer_norm takes each row to mean 0 and variance 1, then gain and shift") {
  const Tensor x({2, 4}, {1, 2, 3, 4, -10, 10, -10, 10});
  const double sd = std::sqrt(1.25), high = 10 / std::sqrt(100 + 1e-5);
  check_values(layer_norm(x, Tensor::ones({4}), Tensor::zeros({4}), 0),
               {-1.5 / sd, -0.5 / sd, 0.5 / sd, 1.5 / sd, -1, 1, -1, 1});
  check_values(layer_norm(x.view({2, 4}), Tensor({4}, {2, 2, 1, 1}), Tensor({4}, {0, 1, 0, 1})),
               {-3 / sd, 1 - 1 / sd, 0.5 / sd, 1 + 1.5 / sd, -2 * high, 1 + 2 * high, -high, 1 + high}, 1e-5);
}

TEST_CASE("layer_norm of a constant row is the shift") {
  check_values(layer_norm(Tensor::full({1, 3}, 7), Tensor::ones({3}), Tensor({3}, {1, 2, 3})), {1, 2, 3});
}

namespace {

struct Norm {
  Tensor gain = Tensor({2}, {1, 2}), shift = Tensor({2}, {0, 10});
  RunningStats running{Tensor::zeros({2}), Tensor::ones({2})};

  Tensor operator()(const Tensor& x) const { return batch_norm(x, gain, shift, running); }
};

}  // namespace

TEST_CASE("batch_norm in training uses the batch and moves the running statistics") {
  const Norm norm;
  const Tensor x({4, 2}, {1, -1, 2, 1, 3, -1, 4, 1});
  const Tape tape;
  const double sd = std::sqrt(1.25 + 1e-5), one = 1 / std::sqrt(1 + 1e-5);
  check_values(norm(x),
               {-1.5 / sd, 10 - 2 * one, -0.5 / sd, 10 + 2 * one, 0.5 / sd, 10 - 2 * one, 1.5 / sd, 10 + 2 * one});
  // A tenth of the way, the variance with N - 1: 5 / 3 and 4 / 3.
  check_values(norm.running.mean, {0.25, 0});
  check_values(norm.running.variance, {0.9 + 0.5 / 3, 0.9 + 0.4 / 3});
}

TEST_CASE("batch_norm in evaluation uses the running statistics and leaves them alone") {
  Norm norm;
  norm.running = {Tensor({2}, {1, 2}), Tensor({2}, {4, 0.25F})};
  const Tensor x({1, 2}, {5, 3});
  const std::vector<double> want{4 / std::sqrt(4 + 1e-5), 10 + 2 / std::sqrt(0.25 + 1e-5)};
  check_values(norm(x), want);
  const Tape tape{Mode::eval};
  check_values(norm(x), want);
  check_values(norm.running.mean, {1, 2});
  check_values(norm.running.variance, {4, 0.25});
}

TEST_CASE("a batch that is not finite leaves the running statistics untouched") {
  const Norm norm;
  const auto mean_version = norm.running.mean.version(), variance_version = norm.running.variance.version();
  const Tape tape;
  for (const Scalar bad : {std::numeric_limits<Scalar>::quiet_NaN(), std::numeric_limits<Scalar>::infinity(),
                           std::numeric_limits<Scalar>::max()}) {
    norm(Tensor({2, 2}, {1, 2, bad, 4}));
    CHECK(norm.running.mean.version() == mean_version);
    CHECK(norm.running.variance.version() == variance_version);
  }
}

TEST_CASE("batch_norm of a single row is refused in training only") {
  const Norm norm;
  const Tensor row({1, 2}, {1, 2});
  {
    const Tape tape;
    check_throws<ShapeError>([&] { return norm(row); }, "batch_norm: want at least 2 rows to train on; got x [1, 2]",
                             "larger batch", "without a tape");
  }
  check_values(norm.running.mean, {0, 0});
  CHECK(norm(row).size() == 2);
}

TEST_CASE("batch_norm of columns far from zero does not cancel") {
  const Norm norm;
  const Tape tape;
  const Tensor y = norm(Tensor({4, 2}, {10'001, 0, 10'002, 1, 10'003, 0, 10'004, 1}));
  const double sd = std::sqrt(1.25 + 1e-5);
  for (Index i = 0; i < 4; ++i)
    CHECK(static_cast<double>(y.at({i, 0})) == doctest::Approx((static_cast<double>(i) - 1.5) / sd).epsilon(1e-4));
}

TEST_CASE("the gradient through the statistics of a batch adds up to zero over it") {
  const Norm norm;
  const Tensor x = leaf(Tensor({3, 2}, {1, 5, 2, -1, 4, 0}));
  Tape tape;
  tape.backward(sum(square(norm(x))));
  check_values(sum(x.grad(), 0), {0, 0}, 1e-4);
}
