#include <handrail/core/parallel.h>

#include <omp.h>

#include <atomic>
#include <cmath>
#include <exception>
#include <fstream>
#include <limits>
#include <string>

#include <handrail/core/denormals.h>
#include <handrail/core/error.h>

namespace handrail {
namespace {

// More than any machine has, fewer than would exhaust one.
constexpr int max_threads = 1024;

// The processor share of a container (cgroup v2), in whole threads; a large number when unlimited.
int container_quota() {
  std::ifstream file("/sys/fs/cgroup/cpu.max");
  std::string quota;
  double period = 0;
  if (!(file >> quota >> period) || quota == "max" || !(period > 0)) return std::numeric_limits<int>::max();
  return std::max(1, static_cast<int>(std::floor(std::atof(quota.c_str()) / period)));
}

std::atomic<int>& thread_count() {
  static std::atomic<int> count{
      std::clamp(std::min({omp_get_max_threads(), omp_get_num_procs(), container_quota()}), 1, max_threads)};
  return count;
}

}  // namespace

int num_threads() { return thread_count().load(std::memory_order_relaxed); }

void set_num_threads(int count) {
  if (count < 1 || count > max_threads)
    fail<OptionError>("set_num_threads: want a number in [1, ", max_threads, "]; got ", count);
  thread_count() = count;
}

void detail::run_chunks(Index chunks, void (*run)(void*, Index), void* body) {
  const int threads = static_cast<int>(std::min<Index>(num_threads(), chunks));
  if (threads <= 1 || omp_in_parallel()) {
    for (Index chunk = 0; chunk < chunks; ++chunk) run(body, chunk);
    return;
  }
  const unsigned long mode = fp_mode::get();
  std::exception_ptr error;
  Index error_chunk = chunks;
#pragma omp parallel num_threads(threads)
  {
    const unsigned long own_mode = fp_mode::get();
    fp_mode::set(mode);
#pragma omp for schedule(static)
    for (Index chunk = 0; chunk < chunks; ++chunk) {
      try {
        run(body, chunk);
      } catch (...) {
#pragma omp critical(handrail_parallel_error)
        if (chunk < error_chunk) {
          error_chunk = chunk;
          error = std::current_exception();
        }
      }
    }
    fp_mode::set(own_mode);
  }
  if (error) std::rethrow_exception(error);
}

}  // namespace handrail
