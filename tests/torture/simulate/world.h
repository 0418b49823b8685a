#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <memory>
#include <string>

#include "support/power_loss.h"

// What is outside of a run: the file system, the clock and the start of threads, as a program sees them that links
// world.cpp. Its definitions of open, write, clock_gettime and so on take the place of those of the C library, for the
// library under test and for the C++ library.

namespace world {

inline constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();

/// What happens to a session by itself. An instant is a call of the file system or of a hook; they are numbered from 1.
struct Weather {
  // The calls of the file system among `count` instants from number `first` fail.
  std::int64_t first = never, count = 1;
  int error = 0;
  bool full = false;  // whether only those calls fail that take space on the disk
  std::size_t max_bytes = std::numeric_limits<std::size_t>::max();  // of one read or write
  bool interrupts = false;  // whether a signal interrupts every other read, write and open once
  // The clock goes on by `tick` at each instant, and by `leap` at number `leap_at`. It stands in between.
  double tick = 1e-3, leap = 0;  // seconds
  std::int64_t leap_at = never;
  bool refuses_threads = false;
};

/// While it lives, this thread is in the simulated world. at_instant(number, place): called before each call of the
/// file system, with its name, and by visit(). It is outside of that world itself, and its allocations do not fail.
class Simulation {
 public:
  Simulation(const Weather& weather, std::function<void(std::int64_t, std::string_view)> at_instant);
  ~Simulation();
  Simulation(const Simulation&) = delete;
  Simulation& operator=(const Simulation&) = delete;

  /// An instant in a hook.
  void visit(std::string_view place);
  std::int64_t instants() const;
  std::int64_t faults() const;           // calls that were made to fail
  std::int64_t refused_threads() const;  // threads that did not start
  /// Whether a file of this process is locked by flock.
  bool holds_lock() const;
  /// From here on notes what a power cut would leave of that directory.
  void watch_disk(const std::filesystem::path& directory);
  /// Leaves the directory as found after a power cut, whose whims `rng` decides.
  void cut_power(handrail::Rng& rng);

  struct State;

 private:
  std::unique_ptr<State> state_;
};

/// While it lives, this thread is outside of the simulated world.
class Outside {
 public:
  Outside();
  ~Outside();
  Outside(const Outside&) = delete;
  Outside& operator=(const Outside&) = delete;

 private:
  Simulation::State* before_;
  bool planned_;
};

}  // namespace world
