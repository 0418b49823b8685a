#pragma once

#include <atomic>

#include <handrail/core/kernels/table.h>

// Inside the library: the kernels for this processor.

namespace handrail {
inline namespace HANDRAIL_SCALAR_NAMESPACE {
namespace kernels {

/// The best set that the processor runs, or a lesser one that HANDRAIL_ISA = avx512, avx2 or portable asks for.
/// Throws OptionError when the variable says something else.
const Kernels& choose();

extern std::atomic<const Kernels*> chosen;

}  // namespace kernels

/// Chosen at the first call; the same from then on.
inline const kernels::Kernels& kernels_here() {
  if (const kernels::Kernels* known = kernels::chosen.load(std::memory_order_relaxed)) return *known;
  return kernels::choose();
}

}  // namespace HANDRAIL_SCALAR_NAMESPACE
}  // namespace handrail
