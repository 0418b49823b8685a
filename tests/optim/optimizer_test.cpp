#include <handrail/optim/optimizer.h>

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <handrail/core/system/denormals.h>
#include <handrail/core/error.h>
#include <handrail/core/random.h>
#include <handrail/optim/adam.h>
#include <handrail/optim/sgd.h>

#include "optim/fixtures.h"
#include "reference/inputs.h"
#include "support/check_throws.h"

using namespace handrail;

TEST_CASE("an optimizer lists every option that is out of range") {
  const Tensor t = leaf(Tensor::ones({2}));
  const double nan = std::numeric_limits<double>::quiet_NaN();
  check_throws<OptionError>(
      [&] {
        optim::AdamW{{{.name = "a", .params = {{"w", Role::weight, t}}, .lr_scale = -1, .weight_decay = nan},
                      {.name = "b", .params = {{"w", Role::weight, t}}, .lr_scale = nan, .weight_decay = -0.5}}};
      },
      "group 'a': want lr_scale >= 0; got -1", "group 'a': want weight_decay >= 0; got nan",
      "group 'b': want lr_scale >= 0; got nan", "group 'b': want weight_decay >= 0; got -0.5",
      "two parameters are called 'w'");
}

TEST_CASE("an optimizer wants parameters") {
  check_throws<OptionError>([] { optim::SGD{{}}; }, "want at least one parameter; got none");
  check_throws<OptionError>([] { optim::SGD{{{.name = "empty", .params = {}}}}; }, "want at least one parameter");
}

TEST_CASE("Adam and AdamW list every option that is out of range") {
  const auto groups = one_group(leaf(Tensor::ones({2})));
  const optim::AdamOptions wrong{.beta1 = 1, .beta2 = -0.1, .eps = 0};
  check_throws<OptionError>([&] { optim::Adam(groups, wrong); }, "Adam:", "want beta1 in [0, 1); got 1",
                            "want beta2 in [0, 1); got -0.1", "want eps > 0; got 0");
  check_throws<OptionError>([&] { optim::AdamW(groups, wrong); }, "AdamW:", "beta1", "beta2", "eps");
}

TEST_CASE("SGD refuses a momentum outside [0, 1) and Nesterov's without any") {
  const auto groups = one_group(leaf(Tensor::ones({2})));
  for (const double momentum : {-0.1, 1.0, std::numeric_limits<double>::quiet_NaN()})
    check_throws<OptionError>([&] { optim::SGD(groups, {.momentum = momentum}); }, "SGD: want momentum in [0, 1); got");
  check_throws<OptionError>([&] { optim::SGD(groups, {.nesterov = true}); }, "SGD: want momentum > 0 with nesterov");
}

TEST_CASE("the first update of AdamW has the size of the rate, whatever the gradient") {
  for (const double size : {1e-3, 1.0, 1e3}) {
    const Tensor w = leaf(Tensor::zeros({2}));
    optim::AdamW optimizer{one_group(w)};
    set_gradients({{w, Tensor({2}, {static_cast<Scalar>(size), static_cast<Scalar>(-size)})}});
    optimizer.step(0.01);
    CHECK(static_cast<double>(w.span()[0]) == doctest::Approx(-0.01).epsilon(2e-5));
    CHECK(static_cast<double>(w.span()[1]) == doctest::Approx(0.01).epsilon(2e-5));
  }
}

TEST_CASE("zero_grad forgets gradients, and a step without any is refused and changes nothing") {
  const Tensor w = leaf(Tensor::ones({3}));
  optim::AdamW optimizer{one_group(w, 0.1)};
  set_gradients({{w, Tensor::ones({3})}});
  optimizer.zero_grad();
  CHECK_FALSE(w.grad().defined());
  const std::uint32_t version = w.version();
  check_throws<TapeError>([&] { optimizer.step(0.1); }, "AdamW::step", "call backward before step");
  CHECK(same_bits(w, Tensor::ones({3})));
  CHECK(w.version() == version);
  CHECK(optimizer.state().at("w").t == 0);
}

TEST_CASE("a frozen parameter is not updated, and goes on with its own count once it is thawed") {
  const Tensor a = leaf(Tensor::ones({3})), b = leaf(Tensor::ones({3}));
  optim::AdamW optimizer{one_group({{"a", Role::weight, a}, {"b", Role::weight, b}}, 0.1)};
  set_gradients({{a, Tensor::ones({3})}, {b, Tensor::ones({3})}});
  b.set_requires_grad(false);
  optimizer.step(0.1);
  CHECK_FALSE(same_bits(a, Tensor::ones({3})));
  CHECK(same_bits(b, Tensor::ones({3})));
  set_gradients({{a, Tensor::ones({3})}, {b, Tensor::ones({3})}});
  CHECK_FALSE(b.grad().defined());
  optimizer.step(0.1);
  CHECK(same_bits(b, Tensor::ones({3})));
  b.set_requires_grad(true);
  set_gradients({{a, {}}, {b, Tensor::ones({3})}});
  optimizer.step(0.1);
  CHECK_FALSE(same_bits(b, Tensor::ones({3})));
  CHECK(optimizer.state().at("a").t == 2);
  CHECK(optimizer.state().at("b").t == 1);
}

TEST_CASE("backward notices a step that was made since forward") {
  const Tensor w = leaf(Tensor::ones({3}));
  optim::SGD optimizer{one_group(w)};
  set_gradients({{w, Tensor::ones({3})}});
  const std::uint32_t version = w.version();
  Tape tape;
  const Tensor loss = sum(square(w));
  optimizer.step(0.1);
  CHECK(w.version() != version);
  check_throws<TapeError>([&] { tape.backward(loss); }, "backward of 'square'", "was written to after it was saved");
}

TEST_CASE("a step flushes denormals to zero and puts the mode of the processor back") {
  for (const int threads : {1, 2}) {
    const ThreadCount count{threads};
    const Index n = 100'000;  // enough for several threads
    const Tensor w = leaf(Tensor::zeros({n}));
    optim::SGD optimizer{one_group(w), {.momentum = 0.5}};
    const unsigned long mode = fp_mode::get();
    const Scalar tiny = std::numeric_limits<Scalar>::min();
    set_gradients({{w, Tensor::full({n}, 2 * tiny)}});
    optimizer.step(0);
    set_gradients({{w, Tensor::zeros({n})}});
    optimizer.step(0);
    CHECK(same_bits(optimizer.state().at("w").slots[0], Tensor::full({n}, tiny)));
    optimizer.step(0);
    CHECK(same_bits(optimizer.state().at("w").slots[0], Tensor::zeros({n})));
    CHECK(fp_mode::get() == mode);
  }
}

TEST_CASE("a step has the same bits on any number of threads") {
  const auto train = [](int threads, auto make) {
    const ThreadCount count{threads};
    Rng rng{7};
    const Tensor a = leaf(normal({301, 401}, 0, 1, rng)), b = leaf(normal({7}, 0, 1, rng)),
                 c = leaf(normal({50001}, 0, 1, rng));
    const auto optimizer =
        make(one_group({{"a", Role::weight, a}, {"b", Role::weight, b}, {"c", Role::weight, c}}, 0.1));
    for (int s = 0; s < 3; ++s) {
      set_gradients(
          {{a, normal(a.shape(), 0, 1, rng)}, {b, normal(b.shape(), 0, 1, rng)}, {c, normal(c.shape(), 0, 1, rng)}});
      optimizer->step(0.01, 0.5);
    }
    std::vector<Tensor> result{a, b, c};
    for (const auto& [name, state] : optimizer->state())
      result.insert(result.end(), state.slots.begin(), state.slots.end());
    return result;
  };
  const auto check = [&](auto make) {
    const auto one = train(1, make);
    for (const int threads : {2, 3, 8}) {
      const auto many = train(threads, make);
      REQUIRE(many.size() == one.size());
      for (std::size_t i = 0; i < one.size(); ++i) CHECK(same_bits(many[i], one[i]));
    }
  };
  using Groups = std::vector<optim::ParamGroup>;
  check([](Groups groups) { return std::make_unique<optim::SGD>(std::move(groups)); });
  check([](Groups groups) {
    return std::make_unique<optim::SGD>(std::move(groups), optim::SGDOptions{.momentum = 0.9});
  });
  check([](Groups groups) { return std::make_unique<optim::Adam>(std::move(groups)); });
  check([](Groups groups) { return std::make_unique<optim::AdamW>(std::move(groups)); });
}

TEST_CASE("every element of many parameters of odd sizes is updated exactly once") {
  std::vector<Parameter> params;
  std::vector<GradientOf> gradients;
  for (const Index size : {1, 63, 64, 65, 16320, 16321, 16384, 0, 5, 40000}) {
    const Tensor t = leaf(Tensor::zeros({size}));
    params.push_back({std::to_string(size), Role::weight, t});
    gradients.push_back({t, Tensor::ones({size})});
  }
  optim::SGD optimizer{one_group(params)};
  set_gradients(gradients);
  CHECK(optimizer.grad_norm() == std::sqrt(1.0 + 63 + 64 + 65 + 16320 + 16321 + 16384 + 5 + 40000));
  optimizer.step(1);
  for (const Parameter& p : params) CHECK(same_bits(p.tensor, Tensor::full(p.tensor.shape(), -1)));
}

TEST_CASE("optimizers say their names and the rate to start from") {
  const auto groups = one_group(leaf(Tensor::ones({2})));
  const optim::SGD sgd{groups};
  const optim::Adam adam{groups};
  const optim::AdamW adamw{groups};
  CHECK(std::string(sgd.name()) == "SGD");
  CHECK(std::string(adam.name()) == "Adam");
  CHECK(std::string(adamw.name()) == "AdamW");
  CHECK(sgd.default_lr() == 1e-2);
  CHECK(adam.default_lr() == 1e-3);
  CHECK(adamw.default_lr() == 1e-3);
}

TEST_CASE("power multiplies by squaring") {
  CHECK(optim::power(2, 0) == 1);
  CHECK(optim::power(2, 10) == 1024);
  CHECK(optim::power(0, 0) == 1);
  CHECK(optim::power(0, 3) == 0);
  CHECK(optim::power(0.999, 1) == 0.999);
  for (const std::int64_t n : {2, 3, 7, 100, 12345, 1000000})
    CHECK(optim::power(0.999, n) == doctest::Approx(std::pow(0.999, static_cast<double>(n))).epsilon(1e-10));
  CHECK(optim::power(0.9, std::int64_t{1} << 40) == 0);
}

TEST_CASE("an optimizer says how its rate grows with the batch and which rates are worth trying") {
  const auto groups = one_group(leaf(Tensor::ones({2})));
  const optim::Adam adam{groups};
  const optim::AdamW adamw{groups, {.beta1 = 0.8}};
  for (const optim::Adam* optimizer : {&adam, static_cast<const optim::Adam*>(&adamw)}) {
    CHECK(optimizer->batch_scaling() == optim::BatchScaling::sqrt);
    CHECK(optimizer->max_lr() == 1);
  }
  const optim::SGD sgd{groups};
  CHECK(sgd.batch_scaling() == optim::BatchScaling::linear);
  CHECK(sgd.max_lr() == 10);
}

TEST_CASE("Adam and AdamW differ in their name and in weight decay alone") {
  const auto updated = [](auto make, double gradient, double weight_decay) {
    const Tensor w = leaf(Tensor({2}, {1, -2}));
    const std::unique_ptr<optim::Optimizer> optimizer = make(one_group(w, weight_decay));
    set_gradients({{w, Tensor::full({2}, static_cast<Scalar>(gradient))}});
    optimizer->step(0.1);
    return w;
  };
  const auto adam = [](auto groups) { return std::make_unique<optim::Adam>(std::move(groups)); };
  const auto adamw = [](auto groups) { return std::make_unique<optim::AdamW>(std::move(groups)); };
  CHECK(same_bits(updated(adam, 0.5, 0), updated(adamw, 0.5, 0)));
  // Without a gradient, the penalty alone moves a weight by the rate; the decoupled decay scales it by 1 - 0.1 * 0.2.
  const Tensor penalised = updated(adam, 0, 0.2), decayed = updated(adamw, 0, 0.2);
  CHECK(penalised.at({0}) == doctest::Approx(0.9));
  CHECK(penalised.at({1}) == doctest::Approx(-1.9));
  CHECK(decayed.at({0}) == doctest::Approx(0.98));
  CHECK(decayed.at({1}) == doctest::Approx(-1.96));

  CHECK(adam(one_group(leaf(Tensor::ones({2}))))->settings() == "Adam, betas 0.9 and 0.999, eps 1e-08");
  CHECK(adamw(one_group(leaf(Tensor::ones({2}))))->settings() == "AdamW, betas 0.9 and 0.999, eps 1e-08");
}
