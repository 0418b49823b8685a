#pragma once

#include <string>
#include <vector>

#include <handrail/core/parameter.h>

namespace handrail::optim {

/// Parameters that share hyper-parameters.
struct ParamGroup {
  std::string name;
  std::vector<Parameter> params;
  double lr_scale = 1;  // multiplies the rate of the step
  double weight_decay = 0;
};

/// Two groups: "decay" with the weights, and "no_decay" with biases, norms and embeddings. A group
/// without parameters is left out.
std::vector<ParamGroup> decay_groups(const std::vector<Parameter>& params, double weight_decay);

}  // namespace handrail::optim
