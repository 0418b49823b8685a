#pragma once

#include <handrail/optim/optimizer.h>

namespace handrail::optim {

/// What to multiply gradients of that global norm by so that it becomes at most max_norm, as in
/// torch.nn.utils.clip_grad_norm_: min(1, max_norm / (norm + 1e-6)). Give it to Optimizer::step:
///
///   optimizer.step(lr, optim::clip_scale(optimizer.grad_norm(), 1.0));
///
/// Throws DataError when the norm is not finite: such a gradient must not reach a parameter.
double clip_scale(double norm, double max_norm);

}  // namespace handrail::optim
