#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <numbers>
#include <vector>

#include <handrail/core/error.h>
#include <handrail/core/ops/ops.h>
#include <handrail/core/random.h>

#include "support/check_throws.h"
#include "support/tensors.h"

using namespace handrail;

TEST_CASE("cross_entropy is the mean of the negative logarithms of the probabilities") {
  const Tensor logits({2, 3}, {1, 2, 3, 0, 0, 0}), targets({2}, {2, 0});
  const double first = std::log(std::exp(1) + std::exp(2) + std::exp(3)) - 3;
  CHECK(static_cast<double>(cross_entropy(logits, targets).item()) == doctest::Approx((first + std::log(3)) / 2));
}

TEST_CASE("cross_entropy of even logits is the logarithm of the number of classes") {
  CHECK(static_cast<double>(cross_entropy(Tensor::zeros({5, 10}), Tensor::full({5}, 9)).item()) ==
        doctest::Approx(std::log(10)));
}

TEST_CASE("the gradient of cross_entropy is softmax minus one-hot over N") {
  const Tensor logits = leaf(Tensor({2, 2}, {0, std::log(3.0F), 5, 5})), targets({2}, {1, 0});
  Tape tape;
  tape.backward(cross_entropy(logits, targets));
  check_values(logits.grad(), {0.125, -0.125, -0.25, 0.25});
}

TEST_CASE("cross_entropy is exact and finite for logits of 1e4") {
  const Tensor logits = leaf(Tensor({2, 3}, {1e4F, 1e4F, -1e4F, -1e4F, 1e4F, -1e4F})), targets({2}, {0, 1});
  Tape tape;
  const Tensor loss = cross_entropy(logits, targets);
  CHECK(static_cast<double>(loss.item()) == doctest::Approx(std::numbers::ln2 / 2));
  tape.backward(loss);
  check_values(logits.grad(), {-0.25, 0.25, 0, 0, 0, 0});
  CHECK(static_cast<double>(cross_entropy(logits.detach(), Tensor({2}, {2, 0})).item()) ==
        doctest::Approx((2e4 + std::numbers::ln2 + 2e4) / 2));
}

TEST_CASE("a class that is none is refused with its row") {
  const Tensor logits = Tensor::zeros({4, 3});
  const auto bad = [&](Scalar target, std::size_t row, const char* text) {
    Tensor targets = Tensor::zeros({4});
    targets.mutable_span()[row] = target;
    check_throws<DataError>([&] { return cross_entropy(logits, targets); },
                            "cross_entropy: want a class in [0, 3) as a whole number; got ", text,
                            concat(" in row ", row));
    try {
      cross_entropy(logits, targets);
    } catch (const DataError& error) {
      CHECK(error.row == static_cast<Index>(row));
    }
  };
  bad(3, 2, "got 3");
  bad(-1, 0, "got -1");
  bad(Scalar(1.5), 1, "got 1.5");
  bad(std::numeric_limits<Scalar>::quiet_NaN(), 3, "nan");
  bad(std::numeric_limits<Scalar>::infinity(), 3, "got inf");
  bad(Scalar(1e20), 3, "got 1e+20");
}

TEST_CASE("changing the targets between forward and backward is noticed") {
  const Tensor logits = leaf(Tensor::zeros({2, 3})), targets = Tensor::zeros({2});
  Tape tape;
  const Tensor loss = cross_entropy(logits, targets);
  targets.mutable_data()[0] = 77;
  check_throws<TapeError>([&] { tape.backward(loss); }, "backward of 'cross_entropy'", "written to");
}

TEST_CASE("cross_entropy has the same bits on any number of threads") {
  Rng rng(1);
  const Tensor logits = leaf(normal({30000, 30}, 0, 3, rng));
  Tensor targets(Shape{30000});
  for (Scalar& target : targets.mutable_span()) target = static_cast<Scalar>(rng.below(30));
  const auto run = [&](int threads) {
    const ThreadCount count(threads);
    logits.zero_grad();
    Tape tape;
    const Tensor loss = cross_entropy(logits, targets);
    tape.backward(loss);
    return std::pair{loss, logits.grad().clone()};
  };
  const auto [loss, grad] = run(1);
  for (const int threads : {2, 8}) {
    const auto [other_loss, other_grad] = run(threads);
    CHECK(same_bits(loss, other_loss));
    CHECK(same_bits(grad, other_grad));
  }
}

TEST_CASE("binary cross entropy has its closed form and stays finite for large logits") {
  const Tensor logits({4}, {0, 2, -1e4F, 1e4F});
  const auto loss = [&](const Tensor& targets) {
    return static_cast<double>(binary_cross_entropy_with_logits(logits, targets).item());
  };
  const double two = std::log1p(std::exp(-2));
  CHECK(loss(Tensor({4}, {1, 1, 0, 1})) == doctest::Approx((std::numbers::ln2 + two) / 4));
  CHECK(loss(Tensor({4}, {0.25F, 0, 1, 0})) == doctest::Approx((std::numbers::ln2 + two + 2 + 2e4) / 4));
}

TEST_CASE("a binary target outside of 0 to 1 is refused with its row") {
  const Tensor logits = Tensor::zeros({3, 2});
  for (const Scalar bad : {Scalar(-0.5), Scalar(1.5), std::numeric_limits<Scalar>::quiet_NaN()}) {
    const Tensor targets = Tensor::zeros({3, 2});
    targets.mutable_data()[3] = bad;
    check_throws<DataError>([&] { return binary_cross_entropy_with_logits(logits, targets); },
                            "binary_cross_entropy_with_logits: want targets in [0, 1]; got ", "in element 3");
    try {
      binary_cross_entropy_with_logits(logits, targets);
    } catch (const DataError& error) {
      CHECK(error.row == 1);
    }
  }
}

TEST_CASE("mse_loss is the mean of the squares and differentiates both sides") {
  const Tensor p = leaf(Tensor({2, 2}, {1, 2, 3, 4})), t = leaf(Tensor({2, 2}, {1, 0, 3, 8}));
  Tape tape;
  const Tensor loss = mse_loss(p, t);
  CHECK(loss.item() == 5);
  tape.backward(loss);
  check_values(p.grad(), {0, 1, 0, -2});
  check_values(t.grad(), {0, -1, 0, 2});
}

TEST_CASE("l1_loss is the mean of the absolute differences and differentiates both sides") {
  const Tensor p = leaf(Tensor({4}, {0, 1.5, 3, -4})), t = leaf(Tensor({4}, {0, 1, 0, 0}));
  Tape tape;
  const Tensor loss = l1_loss(p, t);
  CHECK(loss.item() == 1.875);
  tape.backward(loss);
  check_values(p.grad(), {0, 0.25, 0.25, -0.25});
  check_values(t.grad(), {0, -0.25, -0.25, 0.25});
}

TEST_CASE("huber_loss is half the square up to delta and linear beyond") {
  const Tensor p = leaf(Tensor({2, 2}, {0, 1.5, 3, -4})), t = leaf(Tensor({2, 2}, {0, 1, 0, 0}));
  Tape tape;
  const Tensor loss = huber_loss(p, t);
  CHECK(loss.item() == 1.53125);
  CHECK(huber_loss(p, t, 2).item() == 2.53125);
  CHECK(huber_loss(p, t, 100).item() == doctest::Approx(mse_loss(p, t).item() / 2));
  tape.backward(loss);
  check_values(p.grad(), {0, 0.125, 0.25, -0.25});
  check_values(t.grad(), {0, -0.125, -0.25, 0.25});
}

TEST_CASE("a large l1_loss is accurate") {
  const Tensor p = Tensor::full({1'000'000}, Scalar(0.1)), t = Tensor::zeros({1'000'000});
  CHECK(static_cast<double>(l1_loss(p, t).item()) == doctest::Approx(0.1).epsilon(1e-6));
}
