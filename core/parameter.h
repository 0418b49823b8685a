#pragma once

#include <string>
#include <vector>

#include <handrail/core/tensor.h>

namespace handrail {

/// What a parameter is for; weight decay applies to weights only.
enum class Role { weight, bias, norm, embedding };

inline namespace HANDRAIL_SCALAR_NAMESPACE {

/// A tensor that is trained, under the name that checkpoints and optimizers know it by.
struct Parameter {
  std::string name;
  Role role;
  Tensor tensor;
};

/// A tensor that is kept with the model but not trained, such as running statistics.
struct Buffer {
  std::string name;
  Tensor tensor;
};

}  // namespace HANDRAIL_SCALAR_NAMESPACE

/// "weight", "bias", "norm" or "embedding".
const char* to_string(Role role);

}  // namespace handrail
