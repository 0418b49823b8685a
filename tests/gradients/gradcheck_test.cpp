#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <vector>

#include <handrail/core/eigen.h>
#include <handrail/core/error.h>
#include <handrail/core/gradcheck.h>
#include <handrail/core/ops/ops.h>

#include "support/check_throws.h"
#include "support/tensors.h"

using namespace handrail;

namespace {

// x^2 whose gradient is `factor` x, and which forgets the first element when asked to.
Tensor square_with(const Tensor& x, double factor, bool forgetful = false) {
  Tensor y(x.shape());
  mutable_array(y) = array(x).square();
  return Tape::record("square_with", {x}, y, [x = Saved(x), factor, forgetful](const Backward& b) {
    Tensor slope(x->shape());
    mutable_array(slope) = factor * array(*x);
    if (forgetful) slope.mutable_data()[0] = 0;
    b[0] += array(b.output_grad()) * array(slope);
  });
}

GradcheckResult check(double factor, bool forgetful = false, GradcheckOptions options = {}) {
  return gradcheck([=](const std::vector<Tensor>& in) { return square_with(in[0], factor, forgetful); },
                   {leaf(Tensor({3}, {0.5, -1.5, 2}))}, options);
}

}  // namespace

TEST_CASE("gradcheck agrees with a right gradient") {
  const GradcheckResult result = check(2);
  CHECK(result.passed);
  CHECK(result.max_relative_error < 1e-8);
}

TEST_CASE("gradcheck finds a wrong gradient and says where it is") {
  const GradcheckResult result = check(2.1);
  CHECK_FALSE(result.passed);
  CHECK(result.max_relative_error == doctest::Approx(0.1 / 2.1).epsilon(1e-3));
  CHECK(result.worst.find("input 0, element") != std::string::npos);
  CHECK(result.worst.find("backward") != std::string::npos);
  CHECK(check(2.1, false, {.tolerance = 0.1}).passed);
}

TEST_CASE("gradcheck finds a gradient that is off by little more than its tolerance") {
  CHECK_FALSE(check(2 * (1 + 3e-6)).passed);
  CHECK(check(2 * (1 + 3e-7)).passed);
}

TEST_CASE("gradcheck finds a single wrong element") {
  const GradcheckResult result = check(2, true);
  CHECK_FALSE(result.passed);
  CHECK(result.worst.find("element 0") != std::string::npos);
}

TEST_CASE("gradcheck finds a gradient that is not there") {
  const auto forgotten = [](const std::vector<Tensor>& in) { return square(in[0]) + in[1].detach(); };
  const GradcheckResult result = gradcheck(forgotten, {leaf(Tensor::ones({2})), leaf(Tensor::ones({2}))});
  CHECK_FALSE(result.passed);
  CHECK(result.worst.find("input 1") != std::string::npos);
}

TEST_CASE("a NaN in a gradient does not pass") { CHECK_FALSE(check(std::nan("")).passed); }

TEST_CASE("gradcheck agrees with a gradient of zero, which differences give only to rounding") {
  const auto f = [](const std::vector<Tensor>& in) { return div(mul(in[0], in[1]), in[1]); };
  CHECK(gradcheck(f, {leaf(Tensor({3}, {1, 20, 300})), leaf(Tensor({3}, {0.3, 0.7, 1.1}))}).passed);
  CHECK(gradcheck([](const std::vector<Tensor>& in) { return softmax(in[0]); }, {leaf(Tensor({2, 1}, {3, 4}))}).passed);
}

TEST_CASE("gradcheck leaves inputs as they were and constants alone") {
  const Tensor x = leaf(Tensor({2}, {1, 2})), constant({2}, {3, 4});
  const auto f = [](const std::vector<Tensor>& in) { return mul(in[0], in[1]); };
  CHECK(gradcheck(f, {x, constant}).passed);
  check_values(x, {1, 2});
  check_values(constant, {3, 4});
}

TEST_CASE("gradcheck of a function that depends on no input is refused") {
  check_throws<TapeError>(
      [] { gradcheck([](const std::vector<Tensor>& in) { return in[0].detach(); }, {leaf(Tensor::ones({2}))}); },
      "want a loss computed on this tape");
}

TEST_CASE("gradcheck sees the mode it is given") {
  bool training = false;
  const auto f = [&](const std::vector<Tensor>& in) {
    training = Tape::training();
    return square(in[0]);
  };
  gradcheck(f, {leaf(Tensor::ones({1}))});
  CHECK(training);
  gradcheck(f, {leaf(Tensor::ones({1}))}, {.mode = Mode::eval});
  CHECK_FALSE(training);
}

TEST_CASE("gradcheck without an input that requires a gradient says so") {
  check_throws<OptionError>(
      [] { gradcheck([](const std::vector<Tensor>& in) { return exp(in[0]); }, {Tensor::ones({2})}); },
      "set_requires_grad(true)");
}
