#include <handrail/core/system/finite.h>

#include <algorithm>
#include <cmath>

#include <handrail/core/system/internal/kernels.h>

namespace handrail {
inline namespace HANDRAIL_SCALAR_NAMESPACE {

Index first_non_finite(std::span<const Scalar> values) {
  constexpr std::size_t block = 1024;
  for (std::size_t begin = 0; begin < values.size(); begin += block) {
    const auto part = values.subspan(begin, std::min(block, values.size() - begin));
    if (std::isfinite(kernels_here().largest_magnitude(part.data(), std::ssize(part)))) continue;
    return static_cast<Index>(begin) + (std::ranges::find_if_not(part, is_finite<Scalar>) - part.begin());
  }
  return -1;
}

}  // namespace HANDRAIL_SCALAR_NAMESPACE
}  // namespace handrail
