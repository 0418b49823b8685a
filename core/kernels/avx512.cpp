#include <handrail/core/kernels/set.h>

// Compiled with the flags of its instruction set: see cmake/kernels.cmake.

namespace handrail {
inline namespace HANDRAIL_SCALAR_NAMESPACE {
namespace kernels {

constinit const Kernels avx512 = this_set("AVX-512 with FMA");

}  // namespace kernels
}  // namespace HANDRAIL_SCALAR_NAMESPACE
}  // namespace handrail
