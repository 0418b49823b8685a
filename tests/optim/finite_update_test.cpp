#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <handrail/core/error.h>
#include <handrail/optim/adam.h>
#include <handrail/optim/sgd.h>

#include "optim/fixtures.h"
#include "support/check_throws.h"

using namespace handrail;

namespace {

constexpr Scalar infinity = std::numeric_limits<Scalar>::infinity();
constexpr Scalar not_a_number = std::numeric_limits<Scalar>::quiet_NaN();
constexpr Scalar largest = std::numeric_limits<Scalar>::max();

using Groups = std::vector<optim::ParamGroup>;
using Make = std::function<std::unique_ptr<optim::Optimizer>(Groups)>;

const std::vector<Make> rules{
    [](Groups groups) { return std::make_unique<optim::SGD>(std::move(groups)); },
    [](Groups groups) { return std::make_unique<optim::SGD>(std::move(groups), optim::SGDOptions{.momentum = 0.9}); },
    [](Groups groups) { return std::make_unique<optim::Adam>(std::move(groups)); },
    [](Groups groups) { return std::make_unique<optim::AdamW>(std::move(groups)); }};

// Two parameters and the rule that trains them; large enough for several chunks.
struct Run {
  static constexpr Index size = 60000;
  Tensor a = leaf(Tensor::full({3}, Scalar(0.5))), b = leaf(Tensor::full({size}, Scalar(-0.25)));
  std::unique_ptr<optim::Optimizer> optimizer;

  explicit Run(const Make& make) : optimizer(make(one_group({{"a", Role::bias, a}, {"b", Role::weight, b}}, 0.1))) {}
  // All gradients are `value`, and one of b is `odd`.
  void gradients(double value, Scalar odd) const {
    Tensor of_b = Tensor::full({size}, static_cast<Scalar>(value));
    of_b.mutable_span()[17000] = odd;
    set_gradients({{a, Tensor::full({3}, static_cast<Scalar>(value))}, {b, of_b}});
  }
  void good_step(double value) const {
    gradients(value, static_cast<Scalar>(value));
    optimizer->step(0.01, 0.5);
  }
};

void check_same(const Run& got, const Run& want) {
  CHECK(same_bits(got.a, want.a));
  CHECK(same_bits(got.b, want.b));
  const auto got_state = got.optimizer->state(), want_state = want.optimizer->state();
  for (const auto& [name, state] : want_state) {
    CHECK(got_state.at(name).t == state.t);
    for (std::size_t s = 0; s < state.slots.size(); ++s) CHECK(same_bits(got_state.at(name).slots[s], state.slots[s]));
  }
}

// Descent by the sign of the gradient, without a promise.
class Sign : public optim::Optimizer {
 public:
  explicit Sign(Groups groups) : Optimizer(std::move(groups), 1) {}
  const char* name() const override { return "Sign"; }
  double default_lr() const override { return 1e-3; }

 protected:
  void update(const Piece& piece, const Step& step) const override {
    for (std::size_t i = 0; i < piece.weights.size(); ++i) {
      if (piece.gradient[i] == 13) throw std::runtime_error("unlucky");
      piece.slots[0][i] = piece.gradient[i];
      piece.weights[i] -= static_cast<Scalar>(step.rate) * std::copysign(Scalar(1), piece.gradient[i]);
    }
  }
};

// The same with a promise that it does not keep.
class Careless final : public Sign {
 public:
  using Sign::Sign;

 private:
  void update(const Piece& piece, const Step&) const override { piece.weights[0] = not_a_number; }
  bool bounded() const override { return true; }
};

}  // namespace

TEST_CASE("a step that would not be finite is refused and changes nothing, whatever the rule and the threads") {
  for (const int threads : {1, 2}) {
    const ThreadCount count{threads};
    for (std::size_t r = 0; r < rules.size(); ++r) {
      CAPTURE(r);
      Run run{rules[r]}, twin{rules[r]};
      run.good_step(0.3);
      twin.good_step(0.3);
      for (const Scalar odd : {not_a_number, infinity, -infinity})
        for (const bool with_norm : {false, true}) {
          run.gradients(0.3, odd);
          if (with_norm) CHECK_FALSE(std::isfinite(run.optimizer->grad_norm()));
          check_throws<NonFiniteError>([&] { run.optimizer->step(0.01, 0.5); }, "::step: want a finite update; got ",
                                       "for element 17000 of 'b' [60000]", "whose gradient is ", "nothing was changed");
          check_same(run, twin);
        }
      // A rate that is finite as a double only.
      run.gradients(0.3, Scalar(0.3));
      check_throws<NonFiniteError>([&] { run.optimizer->step(1e300); }, "of 'a' [3]", "at rate 1e+300");
      check_same(run, twin);
      run.good_step(0.2);
      twin.good_step(0.2);
      check_same(run, twin);
    }
  }
}

TEST_CASE("the error names the parameter") {
  const Tensor a = leaf(Tensor::ones({2})), b = leaf(Tensor::ones({2}));
  optim::AdamW optimizer{one_group({{"hidden.weight", Role::weight, a}, {"out.weight", Role::weight, b}})};
  set_gradients({{a, Tensor::ones({2})}, {b, Tensor({2}, {1, not_a_number})}});
  try {
    optimizer.step(0.1);
    FAIL_CHECK("want an exception; got none");
  } catch (const NonFiniteError& error) {
    CHECK(error.where == "out.weight");
  }
}

TEST_CASE("finite gradients that overflow a moment are noticed as well") {
  for (std::size_t r = 2; r < rules.size(); ++r) {
    Run run{rules[r]}, twin{rules[r]};
    run.good_step(0.3);
    twin.good_step(0.3);
    const auto too_large = static_cast<Scalar>(std::sqrt(static_cast<double>(largest)) * 1e3);
    run.gradients(0.3, too_large);
    CHECK(std::isfinite(run.optimizer->grad_norm()));
    check_throws<NonFiniteError>([&] { run.optimizer->step(0.01); }, "got inf in a moment for element 17000 of 'b'");
    check_same(run, twin);
    // Brought down by a clip it is as good as any other.
    run.optimizer->step(0.01, 1e-20);
    CHECK(std::isfinite(static_cast<double>(run.b.span()[17000])));
  }
}

TEST_CASE("a step that is large and finite is made") {
  const Tensor w = leaf(Tensor({2}, {1, 2}));
  optim::SGD optimizer{one_group(w)};
  set_gradients({{w, Tensor({2}, {Scalar(-1e20), Scalar(1e30)})}});
  optimizer.step(1);
  CHECK(same_bits(w, Tensor({2}, {Scalar(1e20), Scalar(-1e30)})));
  set_gradients({{w, Tensor({2}, {Scalar(1e20), Scalar(-1e30)})}});
  optimizer.step(1);
  CHECK(same_bits(w, Tensor({2}, {0, 0})));
}

TEST_CASE("figures up to the bounds of the promise leave finite values") {
  const Scalar magnitude = Scalar(1e12);
  for (const double beta2 : {0.0, 0.999, std::nextafter(1.0, 0.0)}) {
    const optim::AdamOptions worst{.beta1 = 0.9999, .beta2 = beta2, .eps = 1e-12};
    const std::vector<Make> extreme{
        rules[0], rules[1], [&](Groups groups) { return std::make_unique<optim::Adam>(std::move(groups), worst); },
        [&](Groups groups) { return std::make_unique<optim::AdamW>(std::move(groups), worst); }};
    for (const Make& make : extreme)
      for (const Scalar sign : {Scalar(1), Scalar(-1)}) {
        const Tensor w = leaf(Tensor::full({40}, magnitude));
        const auto optimizer = make(one_group(w, 1e4));
        set_gradients({{w, Tensor::full({40}, sign * magnitude / Scalar(1e4))}});
        optimizer->step(1e4, 1e4);
        for (const Scalar value : w.span()) CHECK(std::isfinite(value));
      }
  }
}

TEST_CASE("a rule whose options leave its bounds is watched more closely") {
  // In float this eps is zero, and a zero gradient divides zero by zero.
  for (const double eps : {1e-60, 1e-300}) {
    const Tensor w = leaf(Tensor::ones({3}));
    optim::AdamW optimizer{one_group(w), {.eps = eps}};
    set_gradients({{w, Tensor::zeros({3})}});
    if constexpr (sizeof(Scalar) == 4) {
      check_throws<NonFiniteError>([&] { optimizer.step(0.1); }, "nothing was changed");
      CHECK(optimizer.state().at("w").t == 0);
    }
    CHECK(same_bits(w, Tensor::ones({3})));
  }
}

TEST_CASE("a weight decay that overflows is noticed") {
  for (std::size_t r = 0; r < 3; ++r) {
    const Tensor w = leaf(Tensor::full({3}, Scalar(1e10)));
    const auto optimizer = rules[r](one_group(w, static_cast<double>(largest) / 1e5));
    set_gradients({{w, Tensor::ones({3})}});
    check_throws<NonFiniteError>([&] { optimizer->step(0.1); }, "nothing was changed");
    CHECK(same_bits(w, Tensor::full({3}, Scalar(1e10))));
  }
}

TEST_CASE("a scale that is finite as a double only is noticed, also when gradients are zero") {
  const Tensor w = leaf(Tensor::ones({3}));
  optim::SGD optimizer{one_group(w)};
  set_gradients({{w, Tensor::zeros({3})}});
  if constexpr (sizeof(Scalar) == 4)
    check_throws<NonFiniteError>([&] { optimizer.step(0.1, 1e300); }, "nothing was changed");
  CHECK(same_bits(w, Tensor::ones({3})));
}

TEST_CASE("weights that others wrote between two steps are noticed") {
  const Tensor w = leaf(Tensor::ones({100}));
  optim::SGD optimizer{one_group(w, 0.5)};
  const auto gradient = [&] { set_gradients({{w, Tensor::ones({100})}}); };
  gradient();
  optimizer.step(0.1);
  gradient();
  w.mutable_data()[70] = largest;
  const Tensor before = w.clone();
  check_throws<NonFiniteError>([&] { optimizer.step(10); }, "for element 70 of 'w'", "nothing was changed");
  CHECK(same_bits(w, before));
  w.mutable_data()[70] = not_a_number;
  check_throws<NonFiniteError>([&] { optimizer.step(0.1); }, "got nan for element 70 of 'w'", "nothing was changed");
  w.mutable_data()[70] = 1;
  optimizer.step(0.1);
}

TEST_CASE("gradients that change after their norm was taken are noticed") {
  for (const bool by_backward : {true, false}) {
    const Tensor w = leaf(Tensor::ones({100}));
    optim::AdamW optimizer{one_group(w)};
    set_gradients({{w, Tensor::ones({100})}});
    CHECK(optimizer.grad_norm() == 10);
    if (by_backward) {
      Tape tape;
      tape.backward(sum(w * Tensor::full({100}, largest)));
    } else {
      w.grad().mutable_data()[3] = largest;
    }
    check_throws<NonFiniteError>([&] { optimizer.step(0.1); }, "nothing was changed");
    CHECK(same_bits(w, Tensor::ones({100})));
    CHECK(same_bits(optimizer.state().at("w").slots[1], Tensor::zeros({100})));
  }
}

TEST_CASE("moments that were loaded are not trusted") {
  const Tensor w = leaf(Tensor::ones({2})), rest = leaf(Tensor::ones({2}));
  optim::AdamW optimizer{one_group({{"w", Role::weight, w}, {"rest", Role::weight, rest}})};
  // A second moment is never negative: its root is NaN.
  optim::OptimizerState state = optimizer.state();
  state.at("w").slots[1] = Tensor({2}, {0, -1});
  optimizer.load_state(state);
  set_gradients({{w, {}}, {rest, Tensor::ones({2})}});
  optimizer.step(0.1);
  set_gradients({{w, Tensor::ones({2})}, {rest, Tensor::ones({2})}});
  const Tensor before = rest.clone();
  check_throws<NonFiniteError>([&] { optimizer.step(0.1); }, "got nan for element 1 of 'w'", "nothing was changed");
  CHECK(same_bits(w, Tensor::ones({2})));
  CHECK(same_bits(rest, before));
  CHECK(optimizer.state().at("w").t == 0);
  CHECK(optimizer.state().at("rest").t == 1);
}

TEST_CASE("a parameter that rests is remembered when it is trained again") {
  for (const std::vector<double>& rates : {std::vector{0.1, 0.1}, {1e5, 1e5}, {0.1, 1e5}, {1e5, 0.1}}) {
    const Tensor a = leaf(Tensor::ones({2})), b = leaf(Tensor::ones({2}));
    optim::SGD optimizer{one_group({{"a", Role::weight, a}, {"b", Role::weight, b}}, 1)};
    set_gradients({{a, Tensor::ones({2})}, {b, Tensor::full({2}, -largest)}});
    optimizer.step(1);  // b is as large as can be now
    const Tensor large = b.clone();
    for (const double rate : rates) {
      set_gradients({{a, Tensor::ones({2})}, {b, {}}});
      optimizer.step(rate);
    }
    set_gradients({{a, Tensor::ones({2})}, {b, Tensor::ones({2})}});
    const Tensor before = a.clone();
    check_throws<NonFiniteError>([&] { optimizer.step(100); }, "of 'b'", "nothing was changed");
    CHECK(same_bits(a, before));
    CHECK(same_bits(b, large));
  }
}

TEST_CASE("without the check a step is made whatever comes of it, and the next one is checked again") {
  for (const Make& make : rules) {
    Run run{make};
    run.gradients(0.3, not_a_number);
    run.optimizer->step(0.01, 1, false);
    CHECK(std::isnan(run.b.span()[17000]));
    CHECK(std::isfinite(run.b.span()[16999]));
    CHECK(run.optimizer->state().at("b").t == 1);
    const Tensor before = run.b.clone();
    run.gradients(0.3, Scalar(0.3));
    check_throws<NonFiniteError>([&] { run.optimizer->step(0.01); }, "got nan", "nothing was changed");
    CHECK(same_bits(run.b, before));
  }
}

TEST_CASE("a checked step has the bits of one that is not") {
  for (const Make& make : rules) {
    Run checked{make}, unchecked{make};
    for (int s = 0; s < 4; ++s) {
      checked.good_step(0.1 * s - 0.2);
      unchecked.gradients(0.1 * s - 0.2, static_cast<Scalar>(0.1 * s - 0.2));
      unchecked.optimizer->step(0.01, 0.5, false);
    }
    check_same(checked, unchecked);
  }
}

TEST_CASE("a rule of the user's own has the same guarantee, also when it throws") {
  const Make make = [](Groups groups) { return std::make_unique<Sign>(std::move(groups)); };
  for (const int threads : {1, 2}) {
    const ThreadCount count{threads};
    Run run{make}, twin{make};
    run.good_step(0.3);
    twin.good_step(0.3);
    CHECK(run.b.span()[0] == Scalar(-0.25) - Scalar(0.01));
    run.gradients(0.3, infinity);
    check_throws<NonFiniteError>([&] { run.optimizer->step(0.01); }, "Sign::step", "got inf in a moment", "of 'b'");
    check_same(run, twin);
    run.gradients(0.3, 13);
    check_throws<std::runtime_error>([&] { run.optimizer->step(0.01); }, "unlucky");
    check_same(run, twin);
    run.good_step(0.2);
    twin.good_step(0.2);
    check_same(run, twin);
  }
}

TEST_CASE("a rule that promises to be bounded runs without a copy while figures are moderate") {
  const Tensor w = leaf(Tensor::ones({2}));
  Careless optimizer{one_group(w)};
  set_gradients({{w, Tensor::ones({2})}});
  check_throws<NonFiniteError>([&] { optimizer.step(1e5); }, "nothing was changed");
  CHECK(same_bits(w, Tensor::ones({2})));
  check_throws<NonFiniteError>([&] { optimizer.step(0.1); }, "got nan for element 0 of 'w'",
                               "the step could not be undone");
  CHECK(std::isnan(w.span()[0]));
}

TEST_CASE("an update that is not finite tells of gradients that were never cleared") {
  const Tensor w = leaf(Tensor::full({3}, Scalar(1)));
  optim::SGD optimizer(one_group(w));
  const auto backward = [&](Scalar factor) {
    Tape tape;
    tape.backward(sum(w * factor));
  };
  for (int step = 0; step < 3; ++step) {
    backward(1);
    optimizer.step(0.1);
  }
  backward(largest);
  check_throws<NonFiniteError>([&] { optimizer.step(10); }, "of 4 updates only 1 had a gradient of their own");
}
