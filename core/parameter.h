#pragma once

#include <string>
#include <vector>

#include <handrail/core/tensor.h>

namespace handrail {

/// The purpose of a parameter. By default weight decay applies to Role::weight only; see optim::decay_groups.
enum class Role { weight, bias, norm, embedding };

inline namespace HANDRAIL_SCALAR_NAMESPACE {

/// A tensor that is trained, with its name in checkpoints and optimizers.
struct Parameter {
  std::string name;  // the full name in the model, such as "hidden.weight"
  Role role;         // decides whether it has weight decay
  Tensor tensor;     // a handle to the leaf of the model, not a copy
};

/// A tensor that is saved with the model but not trained, such as running statistics.
struct Buffer {
  std::string name;  // the full name in the model, such as "norm.running_mean"
  Tensor tensor;     // a handle to the tensor of the model, not a copy
};

}  // namespace HANDRAIL_SCALAR_NAMESPACE

/// The name of the role: "weight", "bias", "norm" or "embedding".
const char* to_string(Role role);

}  // namespace handrail
