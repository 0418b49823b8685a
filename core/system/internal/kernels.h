#pragma once

#include <atomic>

#include <handrail/core/kernels/table.h>

// Inside the library: the table of kernels for this processor.

namespace handrail {
inline namespace HANDRAIL_SCALAR_NAMESPACE {
namespace kernels {

/// Chooses the best instruction set that the processor has, or a lesser one when the environment variable HANDRAIL_ISA
/// is avx512, avx2 or portable. Throws OptionError when the variable has another value.
const Kernels& choose();

extern std::atomic<const Kernels*> chosen;

}  // namespace kernels

/// The kernels to call. They are chosen at the first call and stay the same; see kernels::choose() for what it throws.
inline const kernels::Kernels& kernels_here() {
  if (const kernels::Kernels* known = kernels::chosen.load(std::memory_order_relaxed)) return *known;
  return kernels::choose();
}

}  // namespace HANDRAIL_SCALAR_NAMESPACE
}  // namespace handrail
