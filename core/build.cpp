#include <handrail/core/build.h>
#include <handrail/core/error.h>
#include <handrail/core/gemm.h>
#include <handrail/core/parallel.h>

namespace handrail {

const char* version() { return HANDRAIL_VERSION; }

std::string build_description() {
#if defined(__clang__)
  const char* compiler = "clang " __clang_version__;
#else
  const char* compiler = "GCC " __VERSION__;
#endif
  return concat(compiler, ", ", gemm_description(), ", chunks of ", elementwise_grain);
}

}  // namespace handrail
