#pragma once

#include <string>
#include <vector>

#include <handrail/core/tensor.h>

namespace handrail::nn {

/// What an Operation computes of its input x, and which constants and numbers it has.
enum class OperationKind {
  linear,       // x weight + bias       constants: weight [in, out], bias [out], which is undefined without one
  relu,         // relu()
  tanh,         // tanh()
  sigmoid,      // sigmoid()
  gelu,         // gelu()
  softplus,     // softplus()
  layer_norm,   // layer_norm()          constants: weight, bias [features]; first: eps
  batch_norm,   // batch_norm() in evaluation
                //                       constants: weight, bias, running mean, running variance [features]; first: eps
  add,          // x + constant          constants: one [features]
  subtract,     // x - constant          constants: one [features]
  multiply,     // x * constant          constants: one [features]
  divide,       // x / constant          constants: one [features]
  clamp,        // clamp()               first: low; second: high
  smooth_clip,  // smooth_clip()        constants: bend [features]
  impute,       // what nn::Impute does  constants: code, is_coded, value [features]
  flatten,      // x [N, ...] -> [N, D]
  unknown,      // a layer that does not say what it computes; export functions refuse it
};

/// One elementary operation of a layer in evaluation, for programs that write models in other formats.
struct Operation {
  OperationKind kind;                  // says what the constants and numbers are
  std::vector<Tensor> constants = {};  // those of the layer, not copies
  double first = 0, second = 0;        // 0 for a kind without such a number
  std::string layer = {};  // the name of its layer from the one that was asked, such as "0.hidden"; empty for that one
  std::string type = {};   // of OperationKind::unknown: the type of the layer
};

/// Appends the operations of a child of this name.
void append_operations(std::vector<Operation>& all, const std::string& name, std::vector<Operation> of_child);

}  // namespace handrail::nn
