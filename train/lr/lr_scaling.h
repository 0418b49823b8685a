#pragma once

#include <handrail/core/scalar.h>
#include <handrail/optim/optimizer.h>

namespace handrail::train {

/// How a given rate, stated for batches of 32, becomes that of another batch size.
enum class LrScaling {
  automatic,  // sqrt for optimizers of the Adam family, linear for others
  linear,     // lr * batch / 32 (Goyal et al. 2017)
  sqrt,       // lr * sqrt(batch / 32) (Krizhevsky 2014)
  none,
};

/// The batch size that a given rate is stated for.
inline constexpr Index reference_batch = 32;

/// What a rate stated for batches of 32 is multiplied by for `batch` samples to a step: batch / 32 by the
/// linear rule, its square root by the sqrt rule. `automatic` is the rule of the optimizer, batch_scaling(), as measured
/// by tests/bench/batch_scaling; see docs/batch_scaling.md.
double lr_scale(LrScaling scaling, const optim::Optimizer& optimizer, Index batch);

}  // namespace handrail::train
