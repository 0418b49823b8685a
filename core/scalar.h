#pragma once

#include <cstddef>

namespace handrail {

/// Sizes, positions and shapes.
using Index = std::ptrdiff_t;

/// The element type of every tensor, fixed when the library is built: float in handrail::handrail,
/// double in handrail::handrail_f64, which makes gradient checks agree to 1e-8. Tensor lives in an
/// inline namespace named after it, so that code built for the one does not link with the other.
#ifdef HANDRAIL_F64
using Scalar = double;
#define HANDRAIL_SCALAR_NAMESPACE f64
#else
using Scalar = float;
#define HANDRAIL_SCALAR_NAMESPACE f32
#endif

}  // namespace handrail
