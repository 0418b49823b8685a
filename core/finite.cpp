#include <handrail/core/finite.h>

#include <algorithm>
#include <cstdint>

namespace handrail {
inline namespace HANDRAIL_SCALAR_NAMESPACE {

Index first_non_finite(std::span<const Scalar> values) {
  // Whole blocks without an early exit, which the compiler can vectorise.
  constexpr std::size_t block = 1024;
  for (std::size_t begin = 0; begin < values.size(); begin += block) {
    const auto part = values.subspan(begin, std::min(block, values.size() - begin));
    std::uint32_t bad = 0;  // GCC 12 does not vectorise the same with a bool
    for (const Scalar value : part) bad |= is_finite(value) ? 0U : 1U;
    if (bad != 0)
      for (std::size_t i = 0;; ++i)
        if (!is_finite(part[i])) return static_cast<Index>(begin + i);
  }
  return -1;
}

}  // namespace HANDRAIL_SCALAR_NAMESPACE
}  // namespace handrail
