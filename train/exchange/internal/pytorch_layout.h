#pragma once

#include <handrail/train/checkpoints/checkpoint.h>

namespace handrail::train {

/// The parameters and buffers of a state in one list, with the weights of linear operations as PyTorch has them: [out,
/// in]. The state is that of the model.
NamedTensors to_pytorch(const nn::Module& model, const ModelState& state);
/// The state of a model from such a list. A name that the model does not have as a parameter counts as a buffer, and
/// num_batches_tracked of a BatchNorm is left out.
ModelState from_pytorch(const nn::Module& model, const NamedTensors& tensors);

}  // namespace handrail::train
