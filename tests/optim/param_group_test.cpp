#include <handrail/optim/param_group.h>

#include <doctest/doctest.h>

#include <handrail/optim/adam.h>
#include <handrail/optim/sgd.h>

#include "optim/fixtures.h"
#include "reference/inputs.h"

using namespace handrail;

TEST_CASE("decay_groups gives weight decay to weights and to nothing else") {
  const Tensor t = leaf(Tensor::ones({2}));
  const auto groups = optim::decay_groups({{"embed", Role::embedding, t},
                                           {"w1", Role::weight, t},
                                           {"b1", Role::bias, t},
                                           {"norm", Role::norm, t},
                                           {"w2", Role::weight, t}},
                                          0.25);
  REQUIRE(groups.size() == 2);
  CHECK(groups[0].name == "decay");
  CHECK(groups[0].weight_decay == 0.25);
  CHECK(groups[0].lr_scale == 1);
  REQUIRE(groups[0].params.size() == 2);
  CHECK(groups[0].params[0].name == "w1");
  CHECK(groups[0].params[1].name == "w2");
  CHECK(groups[1].name == "no_decay");
  CHECK(groups[1].weight_decay == 0);
  REQUIRE(groups[1].params.size() == 3);
  CHECK(groups[1].params[0].name == "embed");
  CHECK(groups[1].params[1].name == "b1");
  CHECK(groups[1].params[2].name == "norm");
}

TEST_CASE("decay_groups leaves a group without parameters out") {
  const Tensor t = leaf(Tensor::ones({2}));
  const auto decay = optim::decay_groups({{"w", Role::weight, t}}, 0.1);
  REQUIRE(decay.size() == 1);
  CHECK(decay[0].name == "decay");
  const auto rest = optim::decay_groups({{"b", Role::bias, t}}, 0.1);
  REQUIRE(rest.size() == 1);
  CHECK(rest[0].name == "no_decay");
  CHECK(optim::decay_groups({}, 0.1).empty());
}

TEST_CASE("with a zero gradient decoupled decay shrinks weights by 1 - rate * decay and leaves biases") {
  const Tensor w = leaf(Tensor({2}, {1, -2})), b = leaf(Tensor({2}, {1, -2}));
  optim::AdamW optimizer{optim::decay_groups({{"w", Role::weight, w}, {"b", Role::bias, b}}, 0.5)};
  set_gradients({{w, Tensor::zeros({2})}, {b, Tensor::zeros({2})}});
  optimizer.step(0.25);
  CHECK(same_bits(w, Tensor({2}, {0.875, -1.75})));
  CHECK(same_bits(b, Tensor({2}, {1, -2})));
}

TEST_CASE("lr_scale multiplies the rate of its group, for the update and for decoupled decay") {
  const Tensor a = leaf(reference::values({9}, 0)), b = leaf(a.clone()), still = leaf(a.clone());
  optim::AdamW scaled{
      {{.name = "half", .params = {{"a", Role::weight, a}}, .lr_scale = 0.5, .weight_decay = 0.1},
       {.name = "still", .params = {{"still", Role::weight, still}}, .lr_scale = 0, .weight_decay = 1}}};
  optim::AdamW plain{one_group(b, 0.1)};
  for (std::uint32_t s = 0; s < 4; ++s) {
    const Tensor gradient = reference::values({9}, 100 + 9 * s);
    set_gradients({{a, gradient}, {b, gradient}, {still, gradient}});
    scaled.step(0.25);
    plain.step(0.125);
  }
  CHECK(same_bits(a, b));
  CHECK(same_bits(still, reference::values({9}, 0)));
}

TEST_CASE("an optimizer shows its groups") {
  optim::SGD optimizer{optim::decay_groups({{"w", Role::weight, leaf(Tensor::ones({2}))}}, 0.5)};
  REQUIRE(optimizer.groups().size() == 1);
  CHECK(optimizer.groups()[0].weight_decay == 0.5);
  CHECK(optimizer.groups()[0].params[0].name == "w");
}
