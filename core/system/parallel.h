#pragma once

#include <algorithm>
#include <memory>
#include <type_traits>

#include <handrail/core/scalar.h>

namespace handrail {

/// The number of threads kernels may use; at first what the process may use: OMP_NUM_THREADS, its
/// affinity mask and its container's quota. Results have the same bits for every number.
int num_threads();
/// Throws OptionError unless count is in [1, 1024].
void set_num_threads(int count);

namespace detail {
void run_chunks(Index chunks, void (*run)(void*, Index), void* body);
}

/// Calls body(chunk) for every chunk in [0, chunks), in any order, on up to num_threads() threads.
/// For the same bits on every number of threads the grid of chunks must follow from shapes alone and
/// a chunk must write only what is its own. An exception is caught and thrown again to the caller;
/// of several, the one from the lowest chunk.
template <class Body>
void parallel_for(Index chunks, Body&& body) {
  if (chunks == 1) return body(Index{0});
  using B = std::remove_reference_t<Body>;
  detail::run_chunks(
      chunks, [](void* self, Index chunk) { (*static_cast<B*>(self))(chunk); },
      const_cast<void*>(static_cast<const void*>(std::addressof(body))));
}

/// Splits [0, size) into pieces of `grain` (the last may be shorter) and calls body(begin, end) for
/// each, on up to num_threads() threads.
template <class Body>
void parallel_ranges(Index size, Index grain, Body&& body) {
  if (size <= 0) return;
  parallel_for((size + grain - 1) / grain, [&](Index chunk) {
    const Index begin = chunk * grain;
    body(begin, std::min(size, begin + grain));
  });
}

/// A range of elements large enough to be worth a thread, and a multiple of a vector.
inline constexpr Index elementwise_grain = 16384;

}  // namespace handrail
