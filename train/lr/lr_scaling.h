#pragma once

#include <handrail/train/run/options.h>

namespace handrail::train {

/// The batch size that a given rate is stated for.
inline constexpr Index reference_batch = 32;

/// What a rate stated for batches of 32 is multiplied by for `batch` samples to a step: batch / 32 by the
/// linear rule, its square root by the sqrt rule. `automatic` is the rule of the optimizer, batch_scaling(), as measured
/// by tests/bench/batch_scaling; see docs/batch_scaling.md.
double lr_scale(LrScaling scaling, const optim::Optimizer& optimizer, Index batch);

}  // namespace handrail::train
