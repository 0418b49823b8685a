#pragma once

#include <algorithm>
#include <cstddef>
#include <ranges>

namespace handrail::nn {

/// The element number floor(share * (n - 1)), counted from 0, of the n values in ascending order. A share of 0.5 gives
/// the lower median, as torch.median does. values: at least one, finite; they are reordered. share: 0 to 1.
auto quantile(std::ranges::random_access_range auto&& values, double share) {
  const auto last = static_cast<double>(std::ranges::size(values) - 1);
  const auto place = std::ranges::begin(values) + static_cast<std::ptrdiff_t>(share * last);
  std::ranges::nth_element(values, place);
  return *place;
}

}  // namespace handrail::nn
