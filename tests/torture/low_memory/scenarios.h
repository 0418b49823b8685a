#pragma once

#include <filesystem>
#include <functional>
#include <span>
#include <string>

// What low_memory does while allocations fail, and how it looks at the objects afterwards.

/// One attempt. act() runs while allocations fail. check() runs with the memory back: it returns what is wrong with the
/// objects or with the result, or an empty text.
struct Attempt {
  std::function<void()> act;
  std::function<std::string(bool threw)> check;
};

struct Scenario {
  const char* name;
  /// Makes the objects of an attempt, which may write to the directory. The first call computes what later calls
  /// compare with.
  Attempt (*make)(const std::filesystem::path& dir);
};

/// Runs, and the other calls of a Trainer, on one thread.
std::span<const Scenario> training_scenarios();
/// What a program does without a run, on one thread.
std::span<const Scenario> part_scenarios();
/// What needs several threads.
std::span<const Scenario> threaded_scenarios();
