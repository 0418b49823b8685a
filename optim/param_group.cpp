#include <handrail/optim/param_group.h>

namespace handrail::optim {

std::vector<ParamGroup> decay_groups(const std::vector<Parameter>& params, double weight_decay) {
  ParamGroup decay{.name = "decay", .params = {}, .weight_decay = weight_decay};
  ParamGroup rest{.name = "no_decay", .params = {}};
  for (const Parameter& p : params) (p.role == Role::weight ? decay : rest).params.push_back(p);
  std::vector<ParamGroup> groups;
  for (ParamGroup* group : {&decay, &rest})
    if (!group->params.empty()) groups.push_back(std::move(*group));
  return groups;
}

}  // namespace handrail::optim
