#pragma once

#include <atomic>

#include <handrail/core/kernels/table.h>

// Inside the library: the table of kernels for this processor.

namespace handrail {
inline namespace HANDRAIL_SCALAR_NAMESPACE {
namespace kernels {

/// The set of the best instructions that the processor has, or of lesser ones when the environment variable
/// HANDRAIL_ISA is avx512, avx2 or portable. Throws OptionError when the variable has another value.
const Kernels& best();
/// Another set that gives the same bits as best(); null when there is none.
const Kernels* twin();
/// Chooses best().
const Kernels& choose();

extern std::atomic<const Kernels*> chosen;

/// While one lives, the whole process uses these kernels; then it uses those of before the first one. All that live at
/// one time must have the same set. Threads: any.
class OtherKernels {
 public:
  explicit OtherKernels(const Kernels& set);
  ~OtherKernels();
  OtherKernels(const OtherKernels&) = delete;
  OtherKernels& operator=(const OtherKernels&) = delete;
};

}  // namespace kernels

/// The kernels to call. They are chosen at the first call; see kernels::best() for what it throws.
inline const kernels::Kernels& kernels_here() {
  if (const kernels::Kernels* known = kernels::chosen.load(std::memory_order_relaxed)) return *known;
  return kernels::choose();
}

}  // namespace HANDRAIL_SCALAR_NAMESPACE
}  // namespace handrail
