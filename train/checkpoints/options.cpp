#include <handrail/train/checkpoints/options.h>

#include <handrail/core/error.h>
#include <handrail/train/checkpoints/checkpoint_store.h>

namespace handrail::train {

std::string name_problem(const std::string& name) {
  if (name.empty() || is_run_name(name)) return {};
  return concat(" of ", run_name_rule, "; got '", name, "'");
}

}  // namespace handrail::train
