#pragma once

#include <string>
#include <vector>

#include <handrail/core/parameter.h>

namespace handrail::optim {

/// Parameters that share hyper-parameters.
struct ParamGroup {
  std::string name;               // for error messages and the summary of a run
  std::vector<Parameter> params;  // each in one group only
  double lr_scale = 1;            // multiplies the learning rate of each step
  double weight_decay = 0;        // not negative; the rule of the optimizer says where it acts
};

/// Divides parameters into two groups: "decay" with the weights, and "no_decay" with biases, norms and embeddings,
/// which have no weight decay. A group without parameters is left out.
std::vector<ParamGroup> decay_groups(const std::vector<Parameter>& params, double weight_decay);

}  // namespace handrail::optim
