#pragma once

#include <cstdint>
#include <optional>

#include <handrail/nn/module.h>
#include <handrail/train/report/anomaly.h>

namespace handrail::train {

/// Whether the model normalises its inputs before the first other layer with parameters.
bool normalises_inputs(const nn::Module& model);

/// Reports one fault of the momentum m of a batch norm, the share that a batch has in the running statistics:
///   "batch_norm_momentum"  m > 0.5: evaluation uses the statistics of the last batches alone
///   "train_eval_gap"       m < 1e-3, and after all steps more than half of the running statistics is still the mean 0
///                          and the variance 1 that they began with: (1 - m)^steps > 0.5
/// steps: planned.
std::optional<Anomaly> check_batch_norms(const nn::Module& model, std::int64_t steps);

}  // namespace handrail::train
