#include <handrail/train/exchange/internal/pytorch_layout.h>

#include <algorithm>
#include <set>
#include <string>

#include <handrail/core/ops/ops.h>

namespace handrail::train {
namespace {

// The names of the parameters that are weights of linear operations.
std::set<std::string> linear_weights(const nn::Module& model) {
  const auto parameters = model.parameters();
  std::set<std::string> names;
  for (const nn::Module* module : model.modules())
    for (const nn::Operation& operation : module->operations())
      if (operation.kind == nn::OperationKind::linear)
        for (const Parameter& p : parameters)
          if (p.tensor.is_same(operation.constants.at(0))) names.insert(p.name);
  return names;
}

Tensor transposed(const Tensor& a) {
  const Index rows = a.shape()[0], cols = a.shape()[1];
  Tensor t({cols, rows});
  Scalar* to = t.mutable_data();
  for (Index j = 0; j < cols; ++j)
    for (Index i = 0; i < rows; ++i) *to++ = a.data()[i * cols + j];
  return t;
}

// Whether it is the count of batches that PyTorch keeps beside the running statistics of a BatchNorm.
bool counts_batches(const std::string& name, const NamedTensors& tensors) {
  constexpr std::string_view count = "num_batches_tracked";
  if (!name.ends_with(count)) return false;
  return tensors.contains(name.substr(0, name.size() - count.size()) + "running_mean");
}

}  // namespace

NamedTensors to_pytorch(const nn::Module& model, const ModelState& state) {
  NamedTensors all = state.parameters;
  all.insert(state.buffers.begin(), state.buffers.end());
  for (const std::string& name : linear_weights(model)) all.at(name) = transposed(all.at(name));
  return all;
}

ModelState from_pytorch(const nn::Module& model, const NamedTensors& tensors) {
  const std::set<std::string> weights = linear_weights(model);
  const auto parameters = model.parameters();
  ModelState state;
  for (const auto& [name, tensor] : tensors) {
    if (counts_batches(name, tensors)) continue;
    if (std::ranges::find(parameters, name, &Parameter::name) == parameters.end())
      state.buffers.emplace(name, tensor);
    else
      state.parameters.emplace(name,
                               weights.contains(name) && tensor.shape().rank() == 2 ? transposed(tensor) : tensor);
  }
  return state;
}

}  // namespace handrail::train
