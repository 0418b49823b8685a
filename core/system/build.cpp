#include <handrail/core/error.h>
#include <handrail/core/ops/internal/gemm.h>
#include <handrail/core/system/build.h>
#include <handrail/core/system/parallel.h>

namespace handrail {

const char* version() { return HANDRAIL_VERSION; }

std::string build_description() {
#if defined(__clang__)
  const char* compiler = "clang " __clang_version__;
#else
  const char* compiler = "GCC " __VERSION__;
#endif
  // The kernels are compiled for several instruction sets; this one is that of everything else.
#if defined(__AVX512F__)
  const char* instructions = " for AVX-512";
#elif defined(__AVX2__)
  const char* instructions = " for AVX2";
#elif defined(__AVX__)
  const char* instructions = " for AVX";
#else
  const char* instructions = "";
#endif
  return concat(compiler, instructions, ", kernels ", gemm_description(), ", chunks of ", elementwise_grain);
}

}  // namespace handrail
