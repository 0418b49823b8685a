#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <handrail/core/ops/ops.h>
#include <handrail/nn/activation.h>
#include <handrail/nn/dropout.h>
#include <handrail/nn/linear.h>
#include <handrail/nn/norm.h>
#include <handrail/nn/sequential.h>
#include <handrail/nn/standardize.h>

#include "support/gradients.h"

using namespace handrail;

namespace {

// A layer, checked in its input and all its parameters together.
struct LayerRow {
  std::string name;
  Shape input;
  std::function<std::unique_ptr<nn::Layer>(Rng&)> make;
  Mode mode = Mode::train;
};

template <class L>
std::unique_ptr<nn::Layer> own(L layer) {
  return std::make_unique<L>(std::move(layer));
}

const std::vector<LayerRow> rows{
    {"Linear", {4, 3}, [](Rng& rng) { return own(nn::Linear(3, 2, rng)); }},
    {"Linear: without bias", {4, 3}, [](Rng& rng) { return own(nn::Linear(3, 2, rng, {.bias = false})); }},
    {"LayerNorm", {3, 4}, [](Rng&) { return own(nn::LayerNorm(4)); }},
    {"BatchNorm1d", {5, 3}, [](Rng&) { return own(nn::BatchNorm1d(3)); }},
    {"BatchNorm1d: in evaluation", {5, 3}, [](Rng&) { return own(nn::BatchNorm1d(3)); }, Mode::eval},
    {"Dropout", {4, 5}, [](Rng&) { return own(nn::Dropout(0.3)); }},
    {"ReLU", {3, 4}, [](Rng&) { return own(nn::ReLU()); }},
    {"Tanh", {3, 4}, [](Rng&) { return own(nn::Tanh()); }},
    {"Sigmoid", {3, 4}, [](Rng&) { return own(nn::Sigmoid()); }},
    {"GELU", {3, 4}, [](Rng&) { return own(nn::GELU()); }},
    {"Softplus", {3, 4}, [](Rng&) { return own(nn::Softplus()); }},
    {"Flatten", {2, 3, 2}, [](Rng&) { return own(nn::Flatten()); }},
    {"Standardize",
     {6, 3},
     [](Rng& rng) {
       return own(nn::Standardize::fit(uniform({20, 3}, 1, 9, rng)));
     }},
    {"Standardize: robust",
     {6, 3},
     [](Rng& rng) {
       return own(nn::Standardize::fit(handrail::exp(uniform({20, 3}, -4, 4, rng)), {.robust = true}));
     }},
    {"Standardize: with whitening",
     {6, 3},
     [](Rng& rng) {
       return own(nn::Standardize::fit(uniform({20, 3}, 1, 9, rng), {.whiten = true}));
     }},
    // Without a relu: its kink may lie anywhere behind other layers.
    {"Sequential",
     {4, 2, 3},
     [](Rng& rng) {
       return own(nn::Sequential{nn::Flatten{}, nn::Linear{6, 5, rng}, nn::BatchNorm1d{5}, nn::GELU{}, nn::Dropout{0.2},
                                 nn::Linear{5, 4, rng, {.bias = false}}, nn::LayerNorm{4}, nn::Tanh{},
                                 nn::Linear{4, 2, rng}});
     }},
};

}  // namespace

TEST_CASE("every layer has the gradient that differences give, in its input and its parameters") {
  for (const LayerRow& row : rows) {
    Rng rng(4);
    const std::unique_ptr<nn::Layer> layer = row.make(rng);
    std::vector<Tensor> inputs{off_zero(row.input, rng)};
    inputs[0].set_requires_grad(true);
    for (const Parameter& p : layer->parameters()) {
      // Away from the ones and zeros that some start with.
      for (Scalar& element : p.tensor.mutable_span()) element += static_cast<Scalar>(rng.uniform(-0.3, 0.3));
      inputs.push_back(p.tensor);
    }
    const GradcheckResult result =
        gradcheck([&](const std::vector<Tensor>& in) { return (*layer)(in[0]); }, inputs, {.mode = row.mode});
    CHECK_MESSAGE(result.passed, row.name, ", error ", result.max_relative_error, " at ", result.worst);
  }
}
