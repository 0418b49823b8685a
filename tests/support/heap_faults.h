#pragma once

// Measures what operator new hands out, and makes it fail, in a program with support/heap_faults.cpp.

#include <atomic>
#include <cstdint>

namespace heap_faults {

inline constinit std::atomic<std::int64_t> until_failure = 0;   // allocations; 0: none fails; -1: one has failed
inline constinit std::atomic<std::int64_t> live = 0, peak = 0;  // bytes

enum class Outcome { no_fault, threw, ignored };  // ignored: one failed, and f returned all the same

/// Runs f, in which the n-th allocation, from 1, fails.
template <class F>
Outcome fail_nth(std::int64_t n, F&& f) {
  until_failure = n;
  bool threw = false;
  try {
    f();
  } catch (...) {
    threw = true;
  }
  const bool failed = until_failure.exchange(0) < 0;
  return !failed ? Outcome::no_fault : threw ? Outcome::threw : Outcome::ignored;
}

/// The most bytes that f has at a time.
template <class F>
std::int64_t peak_during(F&& f) {
  const std::int64_t before = live;
  peak = before;
  f();
  return peak - before;
}

}  // namespace heap_faults
