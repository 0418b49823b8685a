#pragma once

#include <atomic>
#include <chrono>
#include <thread>

#include <handrail/core/system/parallel.h>

/// Runs regions on `threads` threads until one other than the caller has had a part in them: the threads of the library
/// start while the caller works on. Returns whether that happened within a second.
inline bool met_other_threads(int threads) {
  std::atomic<bool> met = false;
  for (int round = 0; round < 1000 && !met; ++round)
    handrail::parallel_for(100, threads, [&, caller = std::this_thread::get_id()](handrail::Index) {
      if (std::this_thread::get_id() != caller) met = true;
      std::this_thread::sleep_for(std::chrono::microseconds(10));
    });
  return met;
}
