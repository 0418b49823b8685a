#include <handrail/nn/operation.h>

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include <handrail/core/ops/ops.h>
#include <handrail/nn/activation.h>
#include <handrail/nn/dropout.h>
#include <handrail/nn/linear.h>
#include <handrail/nn/sequential.h>
#include <handrail/nn/standardize.h>

using namespace handrail;
using nn::OperationKind;

namespace {

struct Doubled : nn::Layer {
  Tensor forward(const Tensor& x) const override { return x + x; }
};

std::vector<std::string> layers_of(const std::vector<nn::Operation>& operations) {
  std::vector<std::string> names;
  for (const nn::Operation& operation : operations) names.push_back(operation.layer);
  return names;
}

}  // namespace

TEST_CASE("Sequential lists the operations of its layers by their full names, and what evaluation leaves out not") {
  Rng rng(1);
  const nn::Sequential model{nn::Sequential{nn::Linear{2, 3, rng}, nn::ReLU{}}, nn::Dropout{}, nn::Linear{3, 1, rng}};
  const auto operations = model.operations();
  CHECK(layers_of(operations) == std::vector<std::string>{"0.0", "0.1", "2"});
  REQUIRE(operations.size() == 3);
  CHECK(operations[0].kind == OperationKind::linear);
  CHECK(operations[1].kind == OperationKind::relu);
  CHECK(operations[0].constants.at(0).is_same(model.parameters()[0].tensor));
}

TEST_CASE("what a call computes has the operations of the scales of layers before and after their own") {
  Rng rng(1);
  nn::Sequential model{nn::Linear{2, 1, rng}};
  model.set_input_scale(std::make_shared<nn::Standardize>(2, nn::StandardizeOptions{.robust = true}));
  model.set_output_scale(std::make_shared<nn::Standardize>(1, nn::StandardizeOptions{.invert = true}));
  std::vector<OperationKind> kinds;
  for (const nn::Operation& operation : model.call_operations()) kinds.push_back(operation.kind);
  CHECK(kinds == std::vector<OperationKind>{OperationKind::subtract, OperationKind::multiply,
                                            OperationKind::smooth_clip, OperationKind::linear, OperationKind::divide,
                                            OperationKind::add});
  CHECK(layers_of(model.call_operations()).front() == "(input)");
  CHECK(layers_of(model.operations()) == std::vector<std::string>{"0"});
}

TEST_CASE("a layer that does not say what it computes is listed as unknown, with its name and type") {
  const auto operations = nn::Sequential{nn::ReLU{}, Doubled{}}.operations();
  REQUIRE(operations.size() == 2);
  CHECK(operations[1].kind == OperationKind::unknown);
  CHECK(operations[1].layer == "1");
  CHECK(operations[1].type == "Doubled");
}
