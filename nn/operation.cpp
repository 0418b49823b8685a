#include <handrail/nn/operation.h>

#include <utility>

namespace handrail::nn {

void append_operations(std::vector<Operation>& all, const std::string& name, std::vector<Operation> of_child) {
  for (Operation& operation : of_child) {
    operation.layer = operation.layer.empty() ? name : name + "." + operation.layer;
    all.push_back(std::move(operation));
  }
}

}  // namespace handrail::nn
