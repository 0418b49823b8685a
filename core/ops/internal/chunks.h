#pragma once

#include <algorithm>

#include <handrail/core/system/parallel.h>

// Inside the library: loops over chunks on several threads. The chunks follow from the shape alone.

namespace handrail::detail {

/// Calls body(first, count) over chunks of elements.
template <class Body>
void for_chunks(Index size, Body&& body) {
  parallel_ranges(size, elementwise_grain, [&](Index begin, Index end) { body(begin, end - begin); });
}

/// Calls body(first, count) over chunks of rows.
template <class Body>
void for_row_chunks(Index rows, Index cols, Body&& body) {
  const Index grain = std::max<Index>(1, elementwise_grain / std::max<Index>(1, cols));
  parallel_ranges(rows, grain, [&](Index begin, Index end) { body(begin, end - begin); });
}

}  // namespace handrail::detail
