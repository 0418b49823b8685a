#pragma once

#include <algorithm>

#include <handrail/core/system/parallel.h>

// Inside the library: loops over chunks on several threads. The chunks follow from the shape alone.

namespace handrail::detail {

/// Calls body(first, count) over chunks of elements, each of which takes so many nanoseconds on one thread.
template <class Body>
void for_chunks(Index size, double ns_per_element, Body&& body) {
  const int threads = threads_for(static_cast<double>(size) * ns_per_element);
  parallel_ranges(size, elementwise_grain, threads, [&](Index begin, Index end) { body(begin, end - begin); });
}

/// Calls body(first, count) over chunks of rows [rows, cols], an element of which takes so many nanoseconds on one
/// thread.
template <class Body>
void for_row_chunks(Index rows, Index cols, double ns_per_element, Body&& body) {
  const int threads = threads_for(static_cast<double>(rows) * static_cast<double>(cols) * ns_per_element);
  const Index grain = std::max<Index>(1, elementwise_grain / std::max<Index>(1, cols));
  parallel_ranges(rows, grain, threads, [&](Index begin, Index end) { body(begin, end - begin); });
}

}  // namespace handrail::detail
