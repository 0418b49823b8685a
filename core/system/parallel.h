#pragma once

#include <algorithm>
#include <memory>
#include <type_traits>

#include <handrail/core/scalar.h>

namespace handrail {

/// The number of threads that the library uses at most, the caller's included; results have the same bits for every
/// number. Unless set_num_threads() was called, it is the least of OpenMP's number (OMP_NUM_THREADS, OMP_THREAD_LIMIT,
/// omp_set_num_threads()), the processors that the process may run on, and the processor quota of its container. It is
/// 1 in a parallel region of the program, such as `#pragma omp parallel for` over Trainers, and in a build without
/// OpenMP.
int num_threads();
/// Sets num_threads() for the whole process. Throws OptionError unless count is in [1, 1024].
void set_num_threads(int count);

/// The work of one thread, in nanoseconds, that makes a thread pay: docs/speed.md has what a call costs.
inline constexpr double min_ns_per_thread = 5000;
/// The number of threads that pay for work, at most num_threads(). Callers estimate the work from shapes alone, so that
/// a network runs on the same number of threads every time.
int threads_for(double nanoseconds);

namespace detail {
void run_chunks(Index chunks, int threads, void (*run)(void*, Index), void* body);
}

/// Calls body(chunk) for every chunk in [0, chunks), in any order, on up to `threads` threads, and returns when all are
/// done. A call from within a chunk runs on its own thread. For the same bits on every number of threads, the number of
/// chunks must follow from shapes alone and a chunk must write only elements of its own. Of the exceptions of the body,
/// that of the lowest chunk is thrown once no chunk runs any more; then chunks may not have run.
template <class Body>
void parallel_for(Index chunks, int threads, Body&& body) {
  if (chunks == 1) return body(Index{0});
  using B = std::remove_reference_t<Body>;
  detail::run_chunks(
      chunks, threads, [](void* self, Index chunk) { (*static_cast<B*>(self))(chunk); },
      const_cast<void*>(static_cast<const void*>(std::addressof(body))));
}

/// Splits [0, size) into ranges of `grain` elements, the last of which may be shorter, and calls body(begin, end) for
/// each, as parallel_for does.
template <class Body>
void parallel_ranges(Index size, Index grain, int threads, Body&& body) {
  if (size <= 0) return;
  parallel_for((size + grain - 1) / grain, threads, [&](Index chunk) {
    const Index begin = chunk * grain;
    body(begin, std::min(size, begin + grain));
  });
}

inline constexpr Index elementwise_grain = 16384;  // of element-wise ops, in whole vectors

}  // namespace handrail
