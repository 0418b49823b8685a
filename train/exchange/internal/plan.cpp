#include <handrail/train/exchange/internal/plan.h>

#include <utility>

#include <handrail/core/error.h>

namespace handrail::train {
namespace {

using nn::Operation;
using nn::OperationKind;

std::string name_of(const Operation& operation) {
  return operation.layer.empty() ? "the model" : "layer '" + operation.layer + "'";
}

Shape input_shape(const std::vector<Operation>& operations, const ModelInfo& info, const std::string& who) {
  if (info.input_shape.rank() > 0) return info.input_shape;
  for (const Operation& operation : operations)
    if (!operation.constants.empty()) return {operation.constants.front().shape()[0]};
  fail<OptionError>(who, ": want the shape of a sample in info.input_shape; got none, and no layer that says it");
}

Shape output_shape(const Operation& operation, const Shape& input, const std::string& who) {
  if (operation.kind == OperationKind::unknown)
    fail<OptionError>(who, ": want layers that say what they compute; ", name_of(operation), " is of the type ",
                      operation.type, ", which does not override operations()");
  if (operation.kind == OperationKind::flatten) return {input.size()};
  if (operation.constants.empty()) return input;
  const Tensor& first = operation.constants.front();
  if (input.cols() != first.shape()[0])
    fail<ShapeError>(who, ": ", name_of(operation), ": want samples with ", first.shape()[0], " features; got ", input);
  return operation.kind == OperationKind::linear ? input.with_last(first.shape()[1]) : input;
}

}  // namespace

ExportPlan plan_of(const nn::Layer& model, const ModelInfo& info, const std::string& who) {
  std::vector<Operation> operations = model.call_operations();
  // A layer without a description comes first: without it, the shapes of the others say nothing.
  for (const Operation& operation : operations)
    if (operation.kind == OperationKind::unknown) output_shape(operation, {}, who);
  ExportPlan plan;
  plan.input = plan.output = input_shape(operations, info, who);
  for (Operation& operation : operations) {
    const Shape before = plan.output;
    plan.output = output_shape(operation, before, who);
    plan.operations.push_back({.operation = std::move(operation), .input = before, .output = plan.output});
  }
  return plan;
}

}  // namespace handrail::train
