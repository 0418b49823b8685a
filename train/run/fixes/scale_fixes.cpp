#include <algorithm>
#include <optional>
#include <vector>

#include <handrail/nn/impute.h>
#include <handrail/nn/standardize.h>
#include <handrail/train/math/coded_value.h>
#include <handrail/train/run/fixes/internal/layer_edits.h>

namespace handrail::train::fixes {
namespace {

using nn::Standardize;

// The layer that replaces codes of missing values; nothing when there are none.
std::optional<nn::Impute> imputer(const Tensor& inputs) {
  const Index columns = inputs.shape()[1];
  const Tensor codes = Tensor::zeros({columns}), is_coded = Tensor::zeros({columns});
  bool any = false;
  std::vector<Scalar> values;
  for (Index j = 0; j < columns; ++j) {
    values.clear();
    for (Index i = j; i < inputs.size(); i += columns) values.push_back(inputs.data()[i]);
    std::ranges::sort(values);
    const auto code = find_coded_value(values);
    if (!code || !code->is_clear) continue;
    any = true;
    codes.mutable_data()[j] = static_cast<Scalar>(code->value);
    is_coded.mutable_data()[j] = 1;
  }
  if (!any) return {};
  return nn::Impute::fit(inputs, codes, is_coded);
}

// A robust Standardize in front of the layers, or in the place of one that is there.
void standardize(Layers& layers, const Tensor& inputs) {
  const auto robust = std::make_shared<Standardize>(Standardize::fit(inputs, {.robust = true}));
  if (!layers.empty() && is_one_of<Standardize>(layers.front()))
    layers.front() = robust;
  else
    layers.insert(layers.begin(), robust);
}

}  // namespace

Fix standardize_inputs() {
  return edit_layers("standardize inputs",
                     [](Layers& layers, const FixContext& context) {
                       if (context.inputs.shape().rank() != 2) return false;
                       standardize(layers, context.inputs);
                       return true;
                     },
                     {.input = false});
}
Fix impute_inputs() {
  return edit_layers("impute inputs",
                     [](Layers& layers, const FixContext& context) {
                       if (context.inputs.shape().rank() != 2) return false;
                       auto impute = imputer(context.inputs);
                       if (!impute) return false;
                       standardize(layers, (*impute)(context.inputs));
                       layers.insert(layers.begin(), std::make_shared<nn::Impute>(std::move(*impute)));
                       return true;
                     },
                     {.input = false});
}
Fix scale_outputs() {
  return edit_layers(
      "scale outputs",
      [](Layers& layers, const FixContext& context) {
        if (context.task != Task::regression || context.targets.shape().rank() != 2) return false;
        layers.push_back(std::make_shared<Standardize>(Standardize::fit(context.targets, {.invert = true})));
        return true;
      },
      {.output = false});
}

}  // namespace handrail::train::fixes
