#pragma once

#include <utility>
#include <vector>

#include <handrail/core/ops/ops.h>
#include <handrail/core/parameter.h>
#include <handrail/optim/param_group.h>

#include "support/tensors.h"

/// Gives each parameter exactly that gradient, through a tape; an undefined one leaves it without.
struct GradientOf {
  handrail::Tensor parameter, gradient;
};
inline void set_gradients(const std::vector<GradientOf>& pairs) {
  handrail::Tape tape;
  handrail::Tensor loss = handrail::Tensor::scalar(0);
  for (const auto& [parameter, gradient] : pairs) {
    parameter.zero_grad();
    if (gradient.defined()) loss = loss + sum(parameter * gradient);
  }
  tape.backward(loss);
}

/// One group of weights.
inline std::vector<handrail::optim::ParamGroup> one_group(std::vector<handrail::Parameter> params,
                                                          double weight_decay = 0) {
  return {{.name = "all", .params = std::move(params), .weight_decay = weight_decay}};
}
inline std::vector<handrail::optim::ParamGroup> one_group(const handrail::Tensor& tensor, double weight_decay = 0) {
  return one_group({{"w", handrail::Role::weight, tensor}}, weight_decay);
}
