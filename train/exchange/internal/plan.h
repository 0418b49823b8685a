#pragma once

#include <string>
#include <vector>

#include <handrail/nn/module.h>
#include <handrail/train/data/model_info.h>

namespace handrail::train {

/// An operation of a model with the shapes of one sample.
struct PlannedOperation {
  nn::Operation operation;
  Shape input, output;
};

/// What a call of a model computes for one sample, for the functions that export it.
struct ExportPlan {
  Shape input, output;  // of one sample
  std::vector<PlannedOperation> operations;
};

/// The plan of a model. The shape of a sample is info.input_shape; when that is a scalar, as before fit, it is the
/// number of features that the first operation with constants takes. Errors start with `who`. Throws OptionError naming
/// the layer and its type when a layer does not override operations(), and when no shape is known; ShapeError when the
/// shapes of the operations do not fit.
ExportPlan plan_of(const nn::Layer& model, const ModelInfo& info, const std::string& who);

}  // namespace handrail::train
