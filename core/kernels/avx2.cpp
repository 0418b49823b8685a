#include <handrail/core/kernels/set.h>

// Compiled with the flags of its instruction set: see cmake/kernels.cmake.

namespace handrail {
inline namespace HANDRAIL_SCALAR_NAMESPACE {
namespace kernels {

constinit const Kernels avx2 = this_set("AVX2 with FMA");

}  // namespace kernels
}  // namespace HANDRAIL_SCALAR_NAMESPACE
}  // namespace handrail
