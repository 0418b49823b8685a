#include <doctest/doctest.h>

#include <memory>
#include <utility>
#include <vector>

#include <handrail/handrail.h>

#include "support/check_throws.h"

using namespace handrail;

namespace {

// (x - 10) / 2 and y * 4 + 100, of one column.
std::shared_ptr<const nn::Standardize> input_scale() {
  return std::make_shared<const nn::Standardize>(nn::Standardize::fit(Tensor({2, 1}, {8, 12})));
}
std::shared_ptr<const nn::Standardize> output_scale() {
  return std::make_shared<const nn::Standardize>(nn::Standardize::fit(Tensor({2, 1}, {96, 104}), {.invert = true}));
}

struct Negate : nn::Layer {
  Tensor forward(const Tensor& x) const override { return -x; }
};

const Tensor fourteen({1, 1}, {14});

}  // namespace

TEST_CASE("a call applies the scales of a layer, and forward does not") {
  Negate layer;
  CHECK(layer(fourteen).item() == -14);
  layer.set_input_scale(input_scale());
  CHECK(layer(fourteen).item() == -2);
  layer.set_output_scale(output_scale());
  CHECK(layer(fourteen).item() == 92);
  CHECK(layer.forward(fourteen).item() == -14);
  layer.set_input_scale(nullptr);
  CHECK(layer(fourteen).item() == 44);
}

TEST_CASE("a Sequential calls its layers with their scales") {
  nn::Sequential inner{Negate{}};
  inner.set_input_scale(input_scale());
  const nn::Sequential outer{std::move(inner), Negate{}};
  CHECK(outer(fourteen).item() == 2);
}

TEST_CASE("the constants of scales are buffers, with names that no other module can have") {
  nn::Sequential model{Negate{}};
  model.set_output_scale(output_scale());
  model.set_input_scale(std::make_shared<const nn::Standardize>(1, nn::StandardizeOptions{.robust = true}));
  std::vector<std::string> names;
  for (const Buffer& buffer : model.buffers()) names.push_back(buffer.name);
  CHECK(names == std::vector<std::string>{"(robust_input).mean", "(robust_input).inverse", "(robust_input).bend",
                                          "(output).mean", "(output).inverse"});
  CHECK(model.modules().size() == 4);
  const auto layers = model.layers_by_name();
  REQUIRE(layers.size() == 2);
  CHECK(layers[0].layer == &model);
  CHECK(layers[1].name == "0");

  nn::Sequential other;
  other.swap(model);
  CHECK_FALSE(model.output_scale());
  CHECK(other.output_scale());
  const nn::Sequential moved(std::move(other));
  CHECK(moved.input_scale());
}

TEST_CASE("a scale of the wrong direction is refused") {
  Negate layer;
  check_throws<OptionError>([&] { layer.set_input_scale(output_scale()); }, "without `invert`");
  check_throws<OptionError>([&] { layer.set_output_scale(input_scale()); }, "with `invert`");
  const auto white = std::make_shared<const nn::Standardize>(1, nn::StandardizeOptions{.whiten = true});
  check_throws<OptionError>([&] { layer.set_input_scale(white); }, "`whiten`");
  CHECK_FALSE(layer.input_scale());
}
