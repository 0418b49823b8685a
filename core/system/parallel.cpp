#include <handrail/core/system/parallel.h>

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <limits>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include <handrail/core/error.h>
#include <handrail/core/system/denormals.h>

namespace handrail {
namespace {

// More processors than any machine has, and fewer threads than would exhaust one.
constexpr int max_threads = 1024;
constexpr int unlimited = std::numeric_limits<int>::max();

// The processor share of a container (cgroup v2), in whole threads.
int container_quota() {
  std::ifstream file("/sys/fs/cgroup/cpu.max");
  std::string quota;
  double period = 0;
  if (!(file >> quota >> period) || quota == "max" || !(period > 0)) return unlimited;
  return std::max(1, static_cast<int>(std::floor(std::atof(quota.c_str()) / period)));
}

// OMP_NUM_THREADS, which users of numerical programs set: "4", or "4,2" for nested regions, of which the first counts.
int wanted_by_user() {
  const char* text = std::getenv("OMP_NUM_THREADS");
  const int count = text ? std::atoi(text) : 0;
  return count > 0 ? count : unlimited;
}

// The processors this process may run on.
int usable_processors() {
#ifdef __linux__
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
#endif
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

std::atomic<int>& thread_count() {
  static std::atomic<int> count{
      std::clamp(std::min({wanted_by_user(), usable_processors(), container_quota()}), 1, max_threads)};
  return count;
}

inline void relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Calls done() until it returns true. Returns false after `max_time`.
template <class Done>
bool spin(std::chrono::microseconds max_time, Done&& done) {
  constexpr int calls_per_look = 64;  // at the clock
  const auto start = std::chrono::steady_clock::now();
  do {
    for (int i = 0; i < calls_per_look; ++i) {
      if (done()) return true;
      relax();
    }
  } while (std::chrono::steady_clock::now() - start < max_time);
  return false;
}

// Blocks all signals on this thread while it lives.
class BlockSignals {
 public:
  BlockSignals() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~BlockSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  BlockSignals(const BlockSignals&) = delete;
  BlockSignals& operator=(const BlockSignals&) = delete;

 private:
  sigset_t before_;
};

// Threads that wait for chunks of work. The caller never waits for a thread that has not begun a chunk: it does the
// chunks that are left itself. A thread that gets no processor, because the machine is busy, therefore costs nothing
// but its help. (An OpenMP region waits for every thread at its end: a training step took sixty times as long beside
// two other busy processes.)
class Pool {
 public:
  // Runs all chunks and returns true; returns false without running any while another thread has the pool. Any thread
  // of the process may call it.
  bool try_run(int threads, Index chunks, void (*run)(void*, Index), void* body) {
    const std::unique_lock lock(busy_, std::try_to_lock);
    if (!lock) return false;
    threads = std::min(threads, make_threads(threads));
    // A thread reads these only after it has taken a chunk.
    run_ = run;
    body_ = body;
    mode_ = fp_mode::get();
    error_ = nullptr;
    error_chunk_ = chunks;
    unfinished_.store(chunks, std::memory_order_relaxed);
    threads_.store(threads, std::memory_order_relaxed);
    for (Index t = 0; t < threads; ++t)
      slots_[static_cast<std::size_t>(t)].range.store(packed(chunks * t / threads, chunks * (t + 1) / threads),
                                                      std::memory_order_release);
    calls_.fetch_add(1, std::memory_order_release);
    calls_.notify_all();
    work(0, threads);
    const auto all_done = [this] { return unfinished_.load(std::memory_order_acquire) == 0; };
    // The thread that runs the last chunk may have lost its processor: yield ours to it.
    while (!spin(std::chrono::microseconds(20), all_done)) sched_yield();
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
    return true;
  }
  static bool in_chunk() { return in_chunk_; }

 private:
  // Chunks [begin, end), in 32 bits each, so that both change at once.
  struct alignas(64) Slot {
    std::atomic<std::uint64_t> range{0};
  };
  static std::uint64_t packed(Index begin, Index end) {
    return static_cast<std::uint64_t>(begin) << 32 | static_cast<std::uint64_t>(end);
  }

  // Makes threads until there are `wanted`, the caller's included, and returns how many there are: fewer when the
  // system refuses one, for want of memory or by a limit on processes. Then no more is ever tried, as a refusal costs
  // time.
  int make_threads(int wanted) {
    if (started_ >= wanted || refused_) return started_;
    const BlockSignals block;  // which a new thread inherits: signals are for the program's own threads
    try {
      for (; started_ < wanted; ++started_) std::thread([this, number = started_] { serve(number); }).detach();
    } catch (const std::exception&) {  // std::system_error or std::bad_alloc
      refused_ = true;
    }
    return started_;
  }

  void serve(int number) {
    std::uint32_t seen = 0;
    while (true) {
      const auto called = [&] { return calls_.load(std::memory_order_acquire) != seen; };
      // The next call usually comes soon.
      if (!spin(std::chrono::microseconds(100), called)) calls_.wait(seen, std::memory_order_acquire);
      seen = calls_.load(std::memory_order_acquire);
      const int threads = threads_.load(std::memory_order_relaxed);
      if (number < threads) work(number, threads);
    }
  }

  // Does the thread's own chunks in order, the same ones in every call with the same grid, whose data are in its cache;
  // then takes chunks of other threads, from their end.
  void work(int number, int threads) {
    while (take(number, true)) {
    }
    for (int other = 1; other < threads; ++other)
      while (take((number + other) % threads, false)) {
      }
  }

  bool take(int number, bool from_front) {
    std::atomic<std::uint64_t>& range = slots_[static_cast<std::size_t>(number)].range;
    std::uint64_t now = range.load(std::memory_order_acquire);
    while (true) {
      const auto begin = static_cast<Index>(now >> 32), end = static_cast<Index>(now & 0xFFFFFFFF);
      if (begin >= end) return false;
      const std::uint64_t rest = from_front ? packed(begin + 1, end) : packed(begin, end - 1);
      if (!range.compare_exchange_weak(now, rest, std::memory_order_acquire)) continue;
      run_chunk(from_front ? begin : end - 1);
      return true;
    }
  }

  void run_chunk(Index chunk) {
    const unsigned long own_mode = fp_mode::get();
    if (own_mode != mode_) fp_mode::set(mode_);
    in_chunk_ = true;
    try {
      run_(body_, chunk);
    } catch (...) {
      const std::lock_guard lock(error_mutex_);
      if (chunk < error_chunk_) {
        error_chunk_ = chunk;
        error_ = std::current_exception();
      }
    }
    in_chunk_ = false;
    if (own_mode != mode_) fp_mode::set(own_mode);
    unfinished_.fetch_sub(1, std::memory_order_release);
  }

  static thread_local bool in_chunk_;

  std::mutex busy_, error_mutex_;
  std::array<Slot, max_threads> slots_;  // the first is the caller's
  int started_ = 1;                      // threads, the caller included
  bool refused_ = false;
  alignas(64) std::atomic<std::uint32_t> calls_{0};
  std::atomic<int> threads_{0};
  alignas(64) std::atomic<Index> unfinished_{0};
  void (*run_)(void*, Index) = nullptr;
  void* body_ = nullptr;
  unsigned long mode_ = 0;
  std::exception_ptr error_;
  Index error_chunk_ = 0;
};

thread_local bool Pool::in_chunk_ = false;

// Never destroyed: its threads may be at work while static objects are destroyed.
Pool& thread_pool() {
  static Pool* const one = new Pool;
  return *one;
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
  constexpr Index max_chunks = std::numeric_limits<std::uint32_t>::max();
  if (threads > 1 && chunks <= max_chunks && !Pool::in_chunk() && thread_pool().try_run(threads, chunks, run, body))
    return;
  for (Index chunk = 0; chunk < chunks; ++chunk) run(body, chunk);
}

}  // namespace handrail
