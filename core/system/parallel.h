#pragma once

#include <algorithm>
#include <memory>
#include <type_traits>

#include <handrail/core/scalar.h>

namespace handrail {

/// The number of threads that the library uses at most, the caller's included. It starts as the least of
/// OMP_NUM_THREADS, the processors in the affinity mask of the process, and the processor quota of its container.
/// Results have the same bits for every number. Where the system refuses a thread, those that there are do the work.
int num_threads();
/// Sets num_threads() for the whole process. Throws OptionError unless count is in [1, 1024].
void set_num_threads(int count);

namespace detail {
void run_chunks(Index chunks, void (*run)(void*, Index), void* body);
}

/// Calls body(chunk) for every chunk in [0, chunks), in any order, on up to num_threads() threads, and returns when all
/// are done. A call from within a chunk runs on its own thread. For the same bits on every number of threads, the
/// number of chunks must follow from shapes alone and a chunk must write only elements of its own. An exception of the
/// body is thrown to the caller once no chunk runs any more; of several, the one of the lowest chunk. Then chunks may
/// not have run.
template <class Body>
void parallel_for(Index chunks, Body&& body) {
  if (chunks == 1) return body(Index{0});
  using B = std::remove_reference_t<Body>;
  detail::run_chunks(
      chunks, [](void* self, Index chunk) { (*static_cast<B*>(self))(chunk); },
      const_cast<void*>(static_cast<const void*>(std::addressof(body))));
}

/// Splits [0, size) into ranges of `grain` elements, the last of which may be shorter, and calls body(begin, end) for
/// each, as parallel_for does.
template <class Body>
void parallel_ranges(Index size, Index grain, Body&& body) {
  if (size <= 0) return;
  parallel_for((size + grain - 1) / grain, [&](Index chunk) {
    const Index begin = chunk * grain;
    body(begin, std::min(size, begin + grain));
  });
}

/// The `grain` of element-wise ops: elements enough to be worth a thread, in whole vectors.
inline constexpr Index elementwise_grain = 16384;

}  // namespace handrail
