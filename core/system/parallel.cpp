#include <handrail/core/system/parallel.h>

#include <pthread.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <exception>
#include <fstream>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include <handrail/core/error.h>
#include <handrail/core/system/denormals.h>
#include <handrail/core/system/internal/openmp.h>
#include <handrail/core/system/internal/thread_limit.h>

namespace handrail {
namespace {

constexpr int max_threads = 1024;
std::atomic<int> chosen{0};  // by set_num_threads(); 0 before

// The processor share of a container (cgroup v2), in whole threads.
int container_quota() {
  std::ifstream file("/sys/fs/cgroup/cpu.max");
  double quota = 0, period = 0;  // in microseconds; the quota is the word "max" where there is none
  return file >> quota >> period && period > 0 ? std::max(1, static_cast<int>(quota / period)) : max_threads;
}

// Calls done() until it returns true. Returns false after `max_time`.
template <class Done>
bool spin(std::chrono::microseconds max_time, Done&& done) {
  const auto start = std::chrono::steady_clock::now();
  do {
    for (int i = 0; i < 64; ++i) {  // between two looks at the clock
      if (done()) return true;
#ifdef __SSE__
      __builtin_ia32_pause();
#endif
    }
  } while (std::chrono::steady_clock::now() - start < max_time);
  return false;
}

// How many threads the system would start now, at most `count`.
int startable_threads(int count) {
  const auto wait = [](const std::stop_token& stop) {
    while (!stop.stop_requested()) std::this_thread::yield();
  };
  std::vector<std::jthread> threads;
  try {
    while (std::ssize(threads) < count) threads.emplace_back(wait);
  } catch (const std::exception&) {  // std::system_error or std::bad_alloc
  }
  return static_cast<int>(std::ssize(threads));
}

// One standing OpenMP team whose members wait for chunks of work. The end of a region for each call would wait for
// every thread: beside busy processes a training step took sixty times as long. Here the caller never waits for a
// member that has not begun a chunk: it does the chunks that are left itself.
class Team {
 public:
  // Runs all chunks and returns true; returns false without running any while a call has the team. Any thread of the
  // process may call it.
  bool try_run(int threads, Index chunks, void (*run)(void*, Index), void* body) {
    if (busy_.test_and_set(std::memory_order_acquire)) return false;
    threads = std::min(threads, start_members(threads));
    call_ = {run, body, fp_mode::get(), nullptr, chunks};
    unfinished_.store(chunks, std::memory_order_relaxed);
    threads_.store(threads, std::memory_order_relaxed);
    for (Index t = 0; t < threads; ++t)
      shares_[static_cast<std::size_t>(t)].chunks.store(Range{chunks * t / threads, chunks * (t + 1) / threads},
                                                        std::memory_order_release);
    calls_.fetch_add(1, std::memory_order_release);
    calls_.notify_all();
    work(0, threads);
    // The thread that runs the last chunk may have lost its processor: yield ours to it.
    while (!spin(std::chrono::microseconds(20), [this] { return unfinished_.load(std::memory_order_acquire) == 0; }))
      std::this_thread::yield();
    const std::exception_ptr error = std::exchange(call_.error, nullptr);
    busy_.clear(std::memory_order_release);
    if (error) std::rethrow_exception(error);
    return true;
  }

 private:
  // What the chunks of a call have in common. A thread reads it only after it has taken one.
  struct Call {
    void (*run)(void*, Index);
    void* body;
    unsigned long mode;  // of the floating-point unit
    std::exception_ptr error;
    Index error_chunk;
  };
  // The chunks [begin, end) of a thread that it has not begun: 64 bits, which change at once.
  struct alignas(std::uint64_t) Range {
    Range(Index b, Index e) : begin(static_cast<std::uint32_t>(b)), end(static_cast<std::uint32_t>(e)) {}
    std::uint32_t begin, end;
  };
  struct alignas(64) Share {
    std::atomic<Range> chunks{Range{0, 0}};
  };

  // Starts members until there are `wanted` threads, the caller included, and returns how many there are: fewer when
  // the system refuses one. Then no more is ever tried, as a refusal costs time.
  int start_members(int wanted) {
    if (started_ >= wanted || refused_) return started_;
    // OpenMP ends the process when it is refused a thread, so the system is asked before, for twice as many, because a
    // thread that has just ended may still count. One thread more begins the region.
    const int missing = wanted - started_, members = (startable_threads(2 * missing + 1) - 1) / 2;
    refused_ = members < missing;
    try {
      if (members > 0) std::thread(&Team::run_region, this, started_, members).detach();
      started_ += members;
    } catch (const std::exception&) {
      refused_ = true;
    }
    return started_;
  }

  // Number 0 of the region has the place of the caller, and sleeps for ever.
  void run_region(int first, [[maybe_unused]] int members) {
    sigset_t all;  // signals are for the program's own threads
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, nullptr);
#pragma omp parallel num_threads(members + 1)
    if (const int number = omp_get_thread_num(); number > 0)
      serve(first + number - 1);
    else
      std::atomic<bool>(false).wait(false);
  }

  void serve(int number) {
    for (std::uint32_t seen = 0;;) {
      // The next call usually comes soon.
      if (!spin(std::chrono::microseconds(100), [&] { return calls_.load(std::memory_order_acquire) != seen; }))
        calls_.wait(seen, std::memory_order_acquire);
      seen = calls_.load(std::memory_order_acquire);
      if (const int threads = threads_.load(std::memory_order_relaxed); number < threads) work(number, threads);
    }
  }

  // Does the thread's own chunks in order, the same ones in every call with the same grid, whose data are in its cache;
  // then takes chunks of other threads, from their end.
  void work(int number, int threads) {
    for (int other = 0; other < threads; ++other)
      while (take((number + other) % threads, other == 0)) {
      }
  }

  bool take(int number, bool from_front) {
    std::atomic<Range>& chunks = shares_[static_cast<std::size_t>(number)].chunks;
    for (Range now = chunks.load(std::memory_order_acquire); now.begin < now.end;) {
      const Range rest{now.begin + from_front, now.end - !from_front};
      if (!chunks.compare_exchange_weak(now, rest, std::memory_order_acquire)) continue;
      run_chunk(from_front ? now.begin : rest.end);
      return true;
    }
    return false;
  }

  void run_chunk(Index chunk) {
    fp_mode::set(call_.mode);  // a member has no other use for its own
    try {
      call_.run(call_.body, chunk);
    } catch (...) {
      const std::lock_guard lock(error_mutex_);
      if (chunk < call_.error_chunk) {
        call_.error_chunk = chunk;
        call_.error = std::current_exception();
      }
    }
    unfinished_.fetch_sub(1, std::memory_order_release);
  }

  std::atomic_flag busy_;
  std::array<Share, max_threads> shares_;  // the first is the caller's
  int started_ = 1;                        // the caller and the members
  bool refused_ = false;
  std::mutex error_mutex_;
  Call call_{};
  alignas(64) std::atomic<std::uint32_t> calls_{0};
  std::atomic<int> threads_{0};
  alignas(64) std::atomic<Index> unfinished_{0};
};

}  // namespace

constinit thread_local int ThreadLimit::limit_ = max_threads;

int num_threads() {
  static const int limit = std::min({omp_get_num_procs(), omp_get_thread_limit(), container_quota(), max_threads});
  if (omp_in_parallel()) return 1;
  const int wanted = chosen.load(std::memory_order_relaxed);
  return std::min(ThreadLimit::of_this_thread(), wanted > 0 ? wanted : std::min(limit, omp_get_max_threads()));
}

void set_num_threads(int count) {
  if (count < 1 || count > max_threads)
    fail<OptionError>("set_num_threads: want a number in [1, ", max_threads, "]; got ", count);
  chosen = count;
}

int threads_for(double nanoseconds) {
  const double useful = nanoseconds / min_ns_per_thread;
  return useful < 2 ? 1 : static_cast<int>(std::min<double>(useful, num_threads()));
}

void detail::run_chunks(Index chunks, int threads, void (*run)(void*, Index), void* body) {
  static Team* const team = new Team;  // never destroyed: its members may be at work while static objects are
  threads = static_cast<int>(std::min<Index>(threads, chunks));
  if (threads > 1 && chunks <= 0xFFFFFFFF && team->try_run(threads, chunks, run, body)) return;
  for (Index chunk = 0; chunk < chunks; ++chunk) run(body, chunk);
}

}  // namespace handrail
