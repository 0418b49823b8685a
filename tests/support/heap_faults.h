#pragma once

// Measures what operator new hands out, and makes it fail, in a program with support/heap_faults.cpp.

#include <atomic>
#include <cstdint>
#include <limits>

namespace heap_faults {

/// The allocations that fail, counted from 1 since they were planned: `count` of them from number `first`.
struct Plan {
  std::int64_t first = std::numeric_limits<std::int64_t>::max(), count = 1;
  // Whether malloc and its kin fail too, which C libraries call: with glibc and without a sanitizer.
  bool with_malloc = false;
};

inline constinit std::atomic<bool> planned = false;
inline constinit Plan plan;
inline constinit std::atomic<std::int64_t> calls = 0;           // allocations since the failures were planned
inline constinit std::atomic<std::int64_t> live = 0, peak = 0;  // bytes
inline constinit std::atomic<std::int64_t> blocks = 0;          // that are live

enum class Outcome { no_fault, threw, ignored };  // ignored: one failed, and f returned all the same

/// Runs f, in which the allocations of the plan fail. An exception of f goes to caught().
template <class F, class Caught>
Outcome fail_as_planned(const Plan& failures, F&& f, Caught&& caught) {
  plan = failures;
  calls = 0;
  planned = true;
  bool threw = false;
  try {
    f();
    planned = false;
  } catch (...) {
    planned = false;
    threw = true;
    caught();
  }
  return calls < plan.first ? Outcome::no_fault : threw ? Outcome::threw : Outcome::ignored;
}

/// Runs f, in which the n-th allocation, from 1, fails.
template <class F>
Outcome fail_nth(std::int64_t n, F&& f) {
  return fail_as_planned({.first = n}, f, [] {});
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
