#pragma once

#include <handrail/core/scalar.h>
#include <handrail/optim/optimizer.h>

namespace handrail::train {

/// How a given learning rate, which is stated for batches of 32, is scaled to the batch size of a run.
enum class LrScaling {
  automatic,  // the rule of the optimizer: sqrt for the Adam family, linear for SGD
  linear,     // lr * batch / 32 (Goyal et al. 2017)
  sqrt,       // lr * sqrt(batch / 32) (Krizhevsky 2014)
  none,       // lr is used as it is
};

/// The batch size, in samples a step, that a given learning rate is stated for.
inline constexpr Index reference_batch = 32;

/// The factor for a learning rate stated for batches of 32 when a step has `batch` samples: batch / 32 for
/// LrScaling::linear, sqrt(batch / 32) for LrScaling::sqrt, 1 for LrScaling::none. LrScaling::automatic follows
/// optimizer.batch_scaling(). docs/batch_scaling.md has measurements of the rules.
double lr_scale(LrScaling scaling, const optim::Optimizer& optimizer, Index batch);

}  // namespace handrail::train
