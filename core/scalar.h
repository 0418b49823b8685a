#pragma once

#include <cstddef>

/// Training of neural networks. This namespace has tensors, the ops on them and the tape that differentiates them; nn
/// has layers, optim has optimizers and schedules, and train has data sets, metrics and the Trainer.
namespace handrail {

/// The type of sizes, positions and dimensions.
using Index = std::ptrdiff_t;

/// The element type of every tensor, which is fixed when the library is built: float in handrail::handrail, and double
/// in handrail::handrail_f64, for gradient checks. Tensor and all that uses it live in an inline namespace named after
/// the type, so that code built for one does not link with the other.
#ifdef HANDRAIL_F64
using Scalar = double;
#define HANDRAIL_SCALAR_NAMESPACE f64
#else
using Scalar = float;
#define HANDRAIL_SCALAR_NAMESPACE f32
#endif

}  // namespace handrail
