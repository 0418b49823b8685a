#include <handrail/core/system/denormals.h>

#if defined(__SSE__)
#include <xmmintrin.h>
#endif

namespace handrail {
namespace fp_mode {

#if defined(__SSE__)
namespace {
constexpr unsigned long flush = 0x8040, rounding = 0x6000;  // FTZ and DAZ; 0 is to nearest
}
unsigned long get() noexcept { return _mm_getcsr(); }
void set(unsigned long mode) noexcept { _mm_setcsr(static_cast<unsigned>(mode)); }
#elif defined(__aarch64__)
namespace {
constexpr unsigned long flush = 1ul << 24, rounding = 3ul << 22;  // FPCR.FZ; RMode, 0 is to nearest
}
unsigned long get() noexcept {
  unsigned long mode;
  asm volatile("mrs %0, fpcr" : "=r"(mode));
  return mode;
}
void set(unsigned long mode) noexcept { asm volatile("msr fpcr, %0" : : "r"(mode)); }
#else
namespace {
constexpr unsigned long flush = 0, rounding = 0;
}
unsigned long get() noexcept { return 0; }
void set(unsigned long) noexcept {}
#endif

bool rounds_to_nearest() noexcept { return (get() & rounding) == 0; }
bool flushes_denormals() noexcept { return (get() & flush) != 0; }

}  // namespace fp_mode

FlushDenormals::FlushDenormals() noexcept : before_(fp_mode::get()) {
  fp_mode::set((before_ | fp_mode::flush) & ~fp_mode::rounding);
}
FlushDenormals::~FlushDenormals() {
  if (!released_) fp_mode::set(before_);
}

}  // namespace handrail
