#pragma once

namespace handrail {

/// While it lives, this thread flushes denormal numbers to zero and rounds to nearest; its destructor restores the mode
/// of before. Denormals make a training step several times slower: the optimizer moments of dead units decay into them.
/// The threads of the library work in the mode of the thread that calls it.
class FlushDenormals {
 public:
  FlushDenormals() noexcept;
  ~FlushDenormals();
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

  /// Leaves the mode as it is, and the duty to restore it to the caller. Returns the mode of before.
  unsigned long release() noexcept {
    released_ = true;
    return before_;
  }

 private:
  unsigned long before_;
  bool released_ = false;
};

/// The floating-point modes of a thread.
namespace fp_mode {

/// The floating-point control word of this thread, which holds the modes of rounding and of denormals. It is 0, and
/// set() does nothing, on processors other than x86 with SSE and 64-bit ARM.
unsigned long get() noexcept;
void set(unsigned long mode) noexcept;
/// The modes of this thread.
bool rounds_to_nearest() noexcept;
bool flushes_denormals() noexcept;

}  // namespace fp_mode
}  // namespace handrail
