#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <vector>

#include <handrail/core/error.h>
#include <handrail/optim/adam.h>
#include <handrail/optim/sgd.h>

#include "optim/fixtures.h"
#include "reference/inputs.h"
#include "support/check_throws.h"

using namespace handrail;

namespace {

using Make = std::function<std::unique_ptr<optim::Optimizer>(std::vector<optim::ParamGroup>)>;

// Two parameters, the second with a gradient in every other step only.
struct Run {
  Tensor a = leaf(reference::values({5}, 0)), b = leaf(reference::values({3, 2}, 10));
  std::unique_ptr<optim::Optimizer> optimizer;

  explicit Run(const Make& make) : optimizer(make(one_group({{"a", Role::bias, a}, {"b", Role::weight, b}}, 0.1))) {}
  void train(std::uint32_t begin, std::uint32_t end) {
    for (std::uint32_t s = begin; s < end; ++s) {
      set_gradients({{a, reference::values({5}, 100 + 11 * s)},
                     {b, s % 2 == 0 ? reference::values({3, 2}, 105 + 11 * s) : Tensor()}});
      optimizer->step(0.02, 0.5);
    }
  }
};

optim::ParamState adam_state(const Shape& shape) {
  return {.t = 3, .slots = {Tensor::ones(shape), Tensor::ones(shape)}};
}

}  // namespace

TEST_CASE("2N steps equal N steps, state, a fresh optimizer and N more, bit for bit") {
  const std::vector<Make> rules{
      [](auto groups) { return std::make_unique<optim::SGD>(std::move(groups)); },
      [](auto groups) { return std::make_unique<optim::SGD>(std::move(groups), optim::SGDOptions{.momentum = 0.9}); },
      [](auto groups) {
        return std::make_unique<optim::SGD>(std::move(groups), optim::SGDOptions{.momentum = 0.9, .nesterov = true});
      },
      [](auto groups) { return std::make_unique<optim::Adam>(std::move(groups)); },
      [](auto groups) { return std::make_unique<optim::AdamW>(std::move(groups)); }};
  for (const Make& make : rules) {
    Run whole{make}, first{make}, second{make};
    whole.train(0, 14);
    first.train(0, 7);
    std::ranges::copy(first.a.span(), second.a.mutable_data());
    std::ranges::copy(first.b.span(), second.b.mutable_data());
    second.optimizer->load_state(first.optimizer->state());
    second.train(7, 14);
    CHECK(same_bits(whole.a, second.a));
    CHECK(same_bits(whole.b, second.b));
    const optim::OptimizerState want = whole.optimizer->state(), got = second.optimizer->state();
    for (const auto& [name, state] : want) {
      CHECK(got.at(name).t == state.t);
      REQUIRE(got.at(name).slots.size() == state.slots.size());
      for (std::size_t i = 0; i < state.slots.size(); ++i) CHECK(same_bits(got.at(name).slots[i], state.slots[i]));
    }
    CHECK(want.at("a").t == 14);
    CHECK(want.at("b").t == 7);
  }
}

TEST_CASE("the state is a copy: neither later steps nor a loaded optimizer change it") {
  const Make make = [](auto groups) { return std::make_unique<optim::AdamW>(std::move(groups)); };
  Run run{make}, other{make};
  run.train(0, 2);
  const optim::OptimizerState state = run.optimizer->state();
  const Tensor before = state.at("a").slots[0].clone();
  run.train(2, 4);
  other.optimizer->load_state(state);
  other.train(2, 4);
  CHECK(state.at("a").t == 2);
  CHECK(same_bits(state.at("a").slots[0], before));
}

TEST_CASE("load_state lists everything that does not fit and changes nothing") {
  const Tensor a = leaf(Tensor::ones({2})), b = leaf(Tensor::ones({3})), c = leaf(Tensor::ones({4})),
               d = leaf(Tensor::ones({5})), e = leaf(Tensor::ones({6}));
  optim::AdamW optimizer{one_group({{"a", Role::weight, a},
                                    {"b", Role::weight, b},
                                    {"c", Role::weight, c},
                                    {"d", Role::weight, d},
                                    {"e", Role::weight, e}})};
  set_gradients({{a, Tensor::ones({2})}});
  optimizer.step(0.1);
  const optim::OptimizerState before = optimizer.state();

  optim::OptimizerState wrong;
  wrong["a"] = adam_state({2});
  wrong["c"] = {.t = 1, .slots = {Tensor::ones({4})}};
  wrong["d"] = adam_state({5, 1});
  wrong["e"] = adam_state({6});
  wrong["e"].t = -1;
  wrong["old"] = adam_state({3});
  check_throws<CheckpointError>([&] { optimizer.load_state(wrong); }, "missing: 'b'", "'c': want 2 slots; got 1",
                                "'d': want slots [5]; got [5, 1]", "'e': want t >= 0; got -1", "unknown: 'old'");

  const optim::OptimizerState after = optimizer.state();
  for (const auto& [name, state] : before) {
    CHECK(after.at(name).t == state.t);
    for (std::size_t i = 0; i < state.slots.size(); ++i) CHECK(same_bits(after.at(name).slots[i], state.slots[i]));
  }
}

TEST_CASE("the state of one rule does not load into another") {
  const Tensor w = leaf(Tensor::ones({2}));
  const optim::SGD sgd{one_group(w), {.momentum = 0.9}};
  optim::AdamW adam{one_group(w)};
  check_throws<CheckpointError>([&] { adam.load_state(sgd.state()); }, "'w': want 2 slots; got 1");
}
