#include <handrail/core/kernels/set.h>

// On x86 compiled for all of its processors: see cmake/kernels.cmake.

namespace handrail {
inline namespace HANDRAIL_SCALAR_NAMESPACE {
namespace kernels {

#if defined(__ARM_NEON)
constinit const Kernels portable = this_set("NEON");
#elif defined(__FMA__)
constinit const Kernels portable = this_set("portable with FMA");
#else
constinit const Kernels portable = this_set("portable");
#endif

}  // namespace kernels
}  // namespace HANDRAIL_SCALAR_NAMESPACE
}  // namespace handrail
