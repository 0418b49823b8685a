#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <handrail/core/random.h>
#include <handrail/optim/adam.h>
#include <handrail/optim/sgd.h>

#include "optim/fixtures.h"
#include "support/tensors.h"

using namespace handrail;

namespace {

using Names = std::vector<std::string>;

Parameter parameter(const std::string& name, Role role, const Shape& shape) {
  return {name, role, leaf(Tensor::ones(shape))};
}

Names layers_of(const std::vector<optim::ParamGroup>& groups) { return optim::SGD(groups).layers(); }

}  // namespace

TEST_CASE("the layer of a parameter is its name without the last part") {
  CHECK(optim::layer_of("hidden.weight") == "hidden");
  CHECK(optim::layer_of("encoder.0.bias") == "encoder.0");
  CHECK(optim::layer_of("temperature") == "temperature");
}

TEST_CASE("the layers of decay groups are in the order of the model") {
  const std::vector<Parameter> model{
      parameter("scale", Role::bias, {1}),           parameter("in.weight", Role::norm, {2}),
      parameter("in.bias", Role::norm, {2}),         parameter("a.weight", Role::weight, {2, 2}),
      parameter("a.bias", Role::bias, {2}),          parameter("a_norm.weight", Role::norm, {2}),
      parameter("b.weight", Role::weight, {2, 2}),   parameter("b.bias", Role::bias, {2}),
      parameter("out.weight", Role::weight, {2, 2}), parameter("out.bias", Role::bias, {2}),
      parameter("end.weight", Role::norm, {2})};
  CHECK(layers_of(optim::decay_groups(model, 0.1)) == Names{"scale", "in", "a", "a_norm", "b", "out", "end"});
  CHECK(layers_of(one_group(model)) == Names{"scale", "in", "a", "a_norm", "b", "out", "end"});
}

TEST_CASE("layers of other groups are in the order of first appearance") {
  const Parameter a = parameter("a.weight", Role::weight, {2}), b = parameter("b.weight", Role::weight, {2}),
                  also_a = parameter("a.bias", Role::bias, {2}), c = parameter("c.weight", Role::weight, {2}),
                  d = parameter("d.weight", Role::weight, {2});
  CHECK(layers_of(one_group({a, b, also_a, c})) == Names{"a", "b", "c"});
  CHECK(layers_of({{.name = "first", .params = {c, d}}, {.name = "second", .params = {a, b}}}) ==
        Names{"c", "d", "a", "b"});
}

TEST_CASE("layer norms are those of their gradients, and their squares add up to the global one") {
  const Tensor w = leaf(Tensor::ones({2, 2})), b = leaf(Tensor::ones({2})), v = leaf(Tensor::ones({1})),
               frozen = leaf(Tensor::ones({3}));
  optim::AdamW optimizer{optim::decay_groups({{"hidden.weight", Role::weight, w},
                                              {"hidden.bias", Role::bias, b},
                                              {"out.weight", Role::weight, v},
                                              {"rest", Role::weight, frozen}},
                                             0.1)};
  CHECK(optimizer.layer_norms().size() == 3);
  set_gradients({{w, Tensor({2, 2}, {1, 2, 4, 2})}, {b, Tensor({2}, {10, 2})}, {v, Tensor({1}, {-3})}, {frozen, {}}});
  const double norm = optimizer.grad_norm();
  REQUIRE(optimizer.layers() == Names{"hidden", "out", "rest"});
  CHECK(optimizer.layer_norms()[0] == doctest::Approx(std::sqrt(129.0)).epsilon(1e-12));
  CHECK(optimizer.layer_norms()[1] == 3);
  CHECK(optimizer.layer_norms()[2] == 0);
  CHECK(norm == doctest::Approx(std::sqrt(138.0)).epsilon(1e-12));
  // Only the layer at fault has a norm that is not finite.
  set_gradients({{w, Tensor({2, 2}, {1, std::numeric_limits<Scalar>::quiet_NaN(), 4, 2})}, {v, Tensor({1}, {-3})}});
  CHECK_FALSE(std::isfinite(optimizer.grad_norm()));
  CHECK_FALSE(std::isfinite(optimizer.layer_norms()[0]));
  CHECK(optimizer.layer_norms()[1] == 3);
}

TEST_CASE("layer norms have the same bits on any number of threads") {
  Rng rng{1};
  const Tensor a = leaf(Tensor::ones({301, 401})), b = leaf(Tensor::ones({7})), c = leaf(Tensor::ones({50001}));
  optim::SGD optimizer{one_group({{"a.weight", Role::weight, a}, {"a.bias", Role::bias, b}, {"c", Role::weight, c}})};
  set_gradients({{a, normal({301, 401}, 0, 1, rng)}, {b, normal({7}, 0, 1, rng)}, {c, normal({50001}, 0, 1, rng)}});
  std::vector<double> first;
  for (const int threads : {1, 2, 3, 8}) {
    const ThreadCount count{threads};
    optimizer.grad_norm();
    const std::vector<double> norms(optimizer.layer_norms().begin(), optimizer.layer_norms().end());
    if (first.empty()) first = norms;
    CHECK(norms == first);
  }
}

TEST_CASE("a measurement has mean, largest magnitude and weight norm of each layer") {
  const Tensor w = leaf(Tensor({2, 2}, {1, -2, 3, 1})), b = leaf(Tensor({2}, {1, 3})), v = leaf(Tensor({1}, {-4}));
  optim::AdamW optimizer{optim::decay_groups(
      {{"hidden.weight", Role::weight, w}, {"hidden.bias", Role::bias, b}, {"out.weight", Role::weight, v}}, 0.1)};
  set_gradients({{w, Tensor({2, 2}, {1, 2, -4, 2})}, {b, Tensor({2}, {3, 2})}, {v, {}}});
  const auto layers = optimizer.measure_layers();
  REQUIRE(layers.size() == 2);
  CHECK(layers[0].name == "hidden");
  CHECK(layers[0].grad_norm == doctest::Approx(std::sqrt(38.0)).epsilon(1e-12));
  CHECK(layers[0].grad_mean == 1);
  CHECK(layers[0].grad_max == 4);
  CHECK(layers[0].weight_norm == 5);
  CHECK(layers[1].name == "out");
  CHECK(layers[1].grad_norm == 0);
  CHECK(layers[1].grad_mean == 0);
  CHECK(layers[1].grad_max == 0);
  CHECK(layers[1].weight_norm == 4);
  CHECK_FALSE(layers[1].dead_units);
  // It tells NaN from infinity.
  set_gradients({{w, Tensor({2, 2}, {1, std::numeric_limits<Scalar>::quiet_NaN(), 4, 2})}});
  CHECK(std::isnan(optimizer.measure_layers()[0].grad_max));
}

TEST_CASE("dead units are elements of the bias without a gradient, or else columns of the weight") {
  const Tensor weight = leaf(Tensor::ones({2, 4})), bias = leaf(Tensor::ones({4})), free = leaf(Tensor::ones({2, 4})),
               gain = leaf(Tensor::ones({4})), held = leaf(Tensor::ones({4}));
  optim::SGD optimizer{one_group({{"full.weight", Role::weight, weight},
                                  {"full.bias", Role::bias, bias},
                                  {"free.bias", Role::bias, held},
                                  {"free.weight", Role::weight, free},
                                  {"norm.weight", Role::norm, gain}})};
  set_gradients({{weight, Tensor({2, 4}, {1, 1, 0, 0, 1, 1, 0, 0})},
                 {bias, Tensor({4}, {0, 1, 0, 0})},
                 {held, {}},
                 {free, Tensor({2, 4}, {0, 1, 0, 0, 0, 1, -2, 0})},
                 {gain, Tensor({4}, {1, 0, 0, 0})}});
  const auto layers = optimizer.measure_layers();
  REQUIRE(layers.size() == 3);
  CHECK(layers[0].dead_units == 0.75);
  CHECK(layers[1].dead_units == 0.5);  // by its weight, as its bias is held fast
  CHECK_FALSE(layers[2].dead_units);
}
