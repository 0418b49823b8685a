#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include <atomic>
#include <csignal>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <handrail/core/error.h>
#include <handrail/core/system/parallel.h>

#include "support/check_throws.h"
#include "support/sanitized.h"
#include "support/tensors.h"

using namespace handrail;

namespace {

// From here on this process cannot make a thread. Returns whether that is so. The limit on processes does not bind
// root.
bool refuse_threads() {
  constexpr unsigned nobody = 65534;
  const rlimit none{0, 0};
  if (setrlimit(RLIMIT_NPROC, &none) != 0 || (geteuid() == 0 && setuid(nobody) != 0)) return false;
  try {
    std::thread([] {}).join();
    return false;
  } catch (const std::system_error&) {
    return true;
  }
}

bool same(const sigset_t& a, const sigset_t& b) {
  for (int signal = 1; signal < NSIG; ++signal)
    if (sigismember(&a, signal) != sigismember(&b, signal)) return false;
  return true;
}

}  // namespace

TEST_CASE("every chunk runs once, on any number of threads") {
  for (const int threads : {1, 2, 3, 8}) {
    const ThreadCount count(threads);
    for (const Index chunks : {0, 1, 2, 7, 1000}) {
      std::vector<std::atomic<int>> runs(static_cast<std::size_t>(chunks));
      parallel_for(chunks, num_threads(), [&](Index chunk) { ++runs[static_cast<std::size_t>(chunk)]; });
      for (const auto& run : runs) CHECK(run == 1);
    }
  }
}

TEST_CASE("ranges cover everything once and only the last may be shorter") {
  const ThreadCount count(3);
  for (const Index size : {0, 1, 9, 10, 11, 95}) {
    std::vector<std::atomic<int>> seen(static_cast<std::size_t>(size));
    std::atomic<int> wrong = 0;
    parallel_ranges(size, 10, num_threads(), [&](Index begin, Index end) {
      if (begin % 10 != 0 || end - begin > 10 || (end - begin < 10 && end != size)) ++wrong;
      for (Index i = begin; i < end; ++i) ++seen[static_cast<std::size_t>(i)];
    });
    CHECK(wrong == 0);
    for (const auto& times : seen) CHECK(times == 1);
  }
}

TEST_CASE("the exception of the lowest chunk comes out") {
  for (const int threads : {1, 2, 4}) {
    const ThreadCount count(threads);
    const auto run = [] {
      parallel_for(64, num_threads(), [](Index chunk) {
        if (chunk % 2 == 1 && chunk > 4) throw std::runtime_error("chunk " + std::to_string(chunk) + ".");
      });
    };
    check_throws<std::runtime_error>(run, "chunk 5.");
    // And the next region is none the worse.
    std::atomic<int> runs = 0;
    parallel_for(64, num_threads(), [&](Index) { ++runs; });
    CHECK(runs == 64);
  }
}

TEST_CASE("a region inside a region runs on the thread it is in") {
  const ThreadCount count(2);
  std::atomic<int> runs = 0;
  parallel_for(4, num_threads(), [&](Index) { parallel_for(8, num_threads(), [&](Index) { ++runs; }); });
  CHECK(runs == 32);
  check_throws<std::runtime_error>(
      [] {
        parallel_for(4, num_threads(), [](Index outer) {
          parallel_for(4, num_threads(), [outer](Index inner) {
            if (inner == 2) throw std::runtime_error("in " + std::to_string(outer));
          });
        });
      },
      "in 0");
}

TEST_CASE("several threads may ask for regions at the same time") {
  const ThreadCount count(3);
  std::atomic<int> runs = 0;
  const auto ask = [&] {
    for (int i = 0; i < 200; ++i) parallel_for(5, num_threads(), [&](Index) { ++runs; });
  };
  {
    std::vector<std::jthread> others;
    for (int i = 0; i < 3; ++i) others.emplace_back(ask);
    ask();
  }
  CHECK(runs == 4 * 200 * 5);
}

TEST_CASE("a forked process works on alone") {
  const ThreadCount count(4);
  std::atomic<int> runs = 0;
  parallel_for(8, num_threads(), [&](Index) { ++runs; });
  CHECK(runs == 8);
  const pid_t child = fork();
  if (child == 0) {
    parallel_for(8, num_threads(), [&](Index) { ++runs; });
    _exit(runs == 16 ? 0 : 1);
  }
  int status = 1;
  waitpid(child, &status, 0);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("where no thread can be made, the threads there are do the work and signals stay as they were") {
  if (thread_sanitizer) return;  // it refuses to make a thread in a forked process
  constexpr int passed = 0, cannot_refuse = 77;
  const pid_t child = fork();
  if (child == 0) {
    if (!refuse_threads()) _exit(cannot_refuse);
    sigset_t before, after;
    pthread_sigmask(SIG_SETMASK, nullptr, &before);
    set_num_threads(64);  // more than the pool of the parent has
    int failures = 0;
    try {
      for (int region = 0; region < 3; ++region) {
        std::atomic<int> runs = 0;
        parallel_for(1000, num_threads(), [&](Index) { ++runs; });
        failures += runs != 1000;
      }
    } catch (...) {
      ++failures;
    }
    pthread_sigmask(SIG_SETMASK, nullptr, &after);
    _exit(failures == 0 && same(before, after) ? passed : 1);
  }
  int status = 1;
  waitpid(child, &status, 0);
  REQUIRE(WIFEXITED(status));
  if (WEXITSTATUS(status) == cannot_refuse)
    MESSAGE("not tested: this system does not let a process refuse itself threads");
  else
    CHECK(WEXITSTATUS(status) == passed);
}

TEST_CASE("threads of the pool take no signals") {
  const ThreadCount count(4);
  std::atomic<int> blocked = 0, others = 0;
  const auto caller = std::this_thread::get_id();
  // Until every chunk has met another thread once, or for long enough.
  for (int round = 0; round < 1000 && others == 0; ++round)
    parallel_for(64, num_threads(), [&](Index) {
      if (std::this_thread::get_id() == caller) return;
      ++others;
      sigset_t mask;
      pthread_sigmask(SIG_SETMASK, nullptr, &mask);
      blocked += sigismember(&mask, SIGTERM);
    });
  CHECK(blocked == others);
}

TEST_CASE("at least one thread is wanted") {
  const int before = num_threads();
  CHECK(before >= 1);
  check_throws<OptionError>([] { set_num_threads(0); }, "set_num_threads: want a number in [1, 1024]; got 0");
  check_throws<OptionError>([] { set_num_threads(1025); }, "got 1025");
  check_throws<OptionError>([] { set_num_threads(-3); }, "got -3");
  CHECK(num_threads() == before);
  const ThreadCount count(5);
  CHECK(num_threads() == (HANDRAIL_TEST_OPENMP ? 5 : 1));
}
