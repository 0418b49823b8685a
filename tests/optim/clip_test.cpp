#include <handrail/optim/clip.h>

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include <handrail/core/error.h>
#include <handrail/core/random.h>
#include <handrail/optim/sgd.h>

#include "optim/fixtures.h"
#include "reference/figures.h"
#include "reference/inputs.h"
#include "support/check_throws.h"

using namespace handrail;

TEST_CASE("the gradient norm and its clip are PyTorch's") {
  for (const reference::Clip& c : reference::clips) {
    CAPTURE(c.factor);
    CAPTURE(c.max_norm);
    const Tensor a = leaf(reference::values({5}, 0)), b = leaf(reference::values({3, 2}, 10));
    optim::SGD optimizer{one_group({{"a", Role::bias, a}, {"b", Role::weight, b}})};
    set_gradients({{a, reference::values({5}, 100, c.factor)}, {b, reference::values({3, 2}, 105, c.factor)}});
    const double norm = optimizer.grad_norm();
    // Gradients are rounded to float once, by 6e-8; the norm adds nothing to that.
    CHECK(norm == doctest::Approx(c.norm).epsilon(1e-7));
    CHECK(optim::clip_scale(norm, c.max_norm) == doctest::Approx(c.scale).epsilon(1e-7));
  }
}

TEST_CASE("a norm up to the maximum is not scaled, a larger one is brought to the maximum") {
  CHECK(optim::clip_scale(0, 1) == 1);
  CHECK(optim::clip_scale(0.99, 1) == 1);
  CHECK(optim::clip_scale(4, 1) == doctest::Approx(0.25).epsilon(1e-6));
  CHECK(4 * optim::clip_scale(4, 1) <= 1);
}

TEST_CASE("clip_scale refuses a norm that is not finite and a maximum that is not positive") {
  const double nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
  for (const double norm : {nan, inf})
    check_throws<DataError>([&] { optim::clip_scale(norm, 1); }, "clip_scale: want a finite gradient norm; got ",
                            "skip this step");
  for (const double max_norm : {0.0, -1.0, nan})
    check_throws<OptionError>([&] { optim::clip_scale(1, max_norm); }, "clip_scale: want max_norm > 0; got ");
}

TEST_CASE("the gradient norm is finite when squares of gradients overflow or underflow float") {
  const Tensor w = leaf(Tensor::ones({1000}));
  optim::SGD optimizer{one_group(w)};
  set_gradients({{w, Tensor::full({1000}, Scalar(1e30))}});
  CHECK(optimizer.grad_norm() == doctest::Approx(std::sqrt(1000.0) * 1e30).epsilon(1e-7));
  set_gradients({{w, Tensor::full({1000}, Scalar(1e-30))}});
  CHECK(optimizer.grad_norm() == doctest::Approx(std::sqrt(1000.0) * 1e-30).epsilon(1e-7));
}

TEST_CASE("the gradient norm loses nothing of many small gradients beside a large one") {
  constexpr Index n = 200000;
  const Tensor w = leaf(Tensor::ones({n + 1}));
  Tensor gradient = Tensor::full({n + 1}, 1);
  gradient.mutable_span()[0] = 10000;  // in float, 1e8 + 1 is 1e8
  optim::SGD optimizer{one_group(w)};
  set_gradients({{w, gradient}});
  CHECK(optimizer.grad_norm() == doctest::Approx(std::sqrt(1e8 + static_cast<double>(n))).epsilon(1e-12));
}

TEST_CASE("the gradient norm is not finite exactly when a gradient is not") {
  const Tensor w = leaf(Tensor::ones({70000}));
  optim::SGD optimizer{one_group(w)};
  for (const Scalar bad : {std::numeric_limits<Scalar>::quiet_NaN(), std::numeric_limits<Scalar>::infinity(),
                           -std::numeric_limits<Scalar>::infinity()})
    for (const std::size_t at : {std::size_t{0}, std::size_t{16383}, std::size_t{16384}, std::size_t{69999}}) {
      Tensor gradient = Tensor::ones({70000});
      gradient.mutable_span()[at] = bad;
      set_gradients({{w, gradient}});
      CHECK_FALSE(std::isfinite(optimizer.grad_norm()));
    }
  set_gradients({{w, Tensor::full({70000}, std::numeric_limits<Scalar>::max())}});
  CHECK(std::isfinite(optimizer.grad_norm()));
}

TEST_CASE("the gradient norm counts no parameter without a gradient") {
  const Tensor a = leaf(Tensor::ones({2})), b = leaf(Tensor::ones({3}));
  optim::SGD optimizer{one_group({{"a", Role::weight, a}, {"b", Role::weight, b}})};
  CHECK(optimizer.grad_norm() == 0);
  set_gradients({{a, Tensor({2}, {3, 4})}, {b, {}}});
  CHECK(optimizer.grad_norm() == 5);
}

TEST_CASE("the gradient norm has the same bits on any number of threads") {
  Rng rng{1};
  const Tensor a = leaf(Tensor::ones({301, 401})), b = leaf(Tensor::ones({7})), c = leaf(Tensor::ones({50001}));
  optim::SGD optimizer{one_group({{"a", Role::weight, a}, {"b", Role::weight, b}, {"c", Role::weight, c}})};
  set_gradients({{a, normal({301, 401}, 0, 1, rng)}, {b, normal({7}, 0, 1, rng)}, {c, normal({50001}, 0, 1, rng)}});
  double first = 0;
  {
    const ThreadCount one{1};
    first = optimizer.grad_norm();
  }
  for (const int threads : {2, 3, 8}) {
    const ThreadCount count{threads};
    CHECK(optimizer.grad_norm() == first);
  }
}
