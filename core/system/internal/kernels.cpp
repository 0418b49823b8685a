#include <handrail/core/system/internal/kernels.h>

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <string_view>

#include <handrail/core/error.h>

namespace handrail {
inline namespace HANDRAIL_SCALAR_NAMESPACE {
namespace kernels {

constinit std::atomic<const Kernels*> chosen{nullptr};

namespace {

enum class Level { portable, avx2, avx512 };

Level wanted() {
  const char* variable = std::getenv("HANDRAIL_ISA");
  const std::string_view name = variable ? variable : "";
  if (name.empty() || name == "avx512") return Level::avx512;
  if (name == "avx2") return Level::avx2;
  if (name == "portable") return Level::portable;
  fail<OptionError>("want HANDRAIL_ISA = avx512, avx2 or portable, or unset; got '", name, "'");
}

// __builtin_cpu_supports also tells whether the operating system saves the registers.
Level supported() {
#ifdef HANDRAIL_X86_KERNELS
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return Level::portable;
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512bw"))
    return Level::avx512;
  return Level::avx2;
#else
  return Level::portable;
#endif
}

const Kernels& set_of([[maybe_unused]] Level level) {
#ifdef HANDRAIL_X86_KERNELS
  if (level == Level::avx512) return avx512;
  if (level == Level::avx2) return avx2;
#endif
  return portable;
}

// Of the OtherKernels that live.
std::mutex others;
int other_users = 0;
const Kernels* before_others = nullptr;

}  // namespace

const Kernels& best() {
  static const Kernels& set = set_of(std::min(wanted(), supported()));
  return set;
}

const Kernels* twin() {
#ifdef HANDRAIL_X86_KERNELS
  if (&best() == &avx512) return &avx2;
#endif
  return nullptr;
}

const Kernels& choose() {
  chosen = &best();
  return best();
}

OtherKernels::OtherKernels(const Kernels& set) {
  const std::lock_guard lock(others);
  if (other_users++ == 0) before_others = &kernels_here();
  chosen = &set;
}

OtherKernels::~OtherKernels() {
  const std::lock_guard lock(others);
  if (--other_users == 0) chosen = before_others;
}

}  // namespace kernels
}  // namespace HANDRAIL_SCALAR_NAMESPACE
}  // namespace handrail
