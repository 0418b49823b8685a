#pragma once

namespace handrail {

/// Flushes denormal floating-point numbers to zero on this thread while it lives and rounds to nearest, whatever
/// the mode was, and puts the mode of the processor back afterwards. Moments of units that have died decay into
/// denormals, which make a training step several times slower. Threads the library runs work on take over the mode of
/// the thread that asked for the work.
class FlushDenormals {
 public:
  FlushDenormals() noexcept;
  ~FlushDenormals();
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
  unsigned long before_;
};

namespace fp_mode {

/// The floating-point control word of this thread: rounding and flushing of denormals.
unsigned long get() noexcept;
void set(unsigned long mode) noexcept;
bool rounds_to_nearest() noexcept;
bool flushes_denormals() noexcept;

}  // namespace fp_mode
}  // namespace handrail
