#pragma once

#include <handrail/optim/optimizer.h>

namespace handrail::optim {

/// The factor that brings gradients of global norm `norm` to a norm of at most max_norm, as in PyTorch's
/// clip_grad_norm_: min(1, max_norm / (norm + 1e-6)). It is the grad_scale of Optimizer::step:
///
///   optimizer.step(lr, optim::clip_scale(optimizer.grad_norm(), 1.0));
///
/// Throws DataError when norm is not finite, as no factor mends such a gradient, and OptionError unless max_norm > 0.
double clip_scale(double norm, double max_norm);

}  // namespace handrail::optim
