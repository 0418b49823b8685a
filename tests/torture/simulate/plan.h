#pragma once

#include <array>
#include <csignal>
#include <cstdint>
#include <string>
#include <vector>

#include "support/heap_faults.h"
#include "torture/simulate/world.h"

// What happens to a session.

namespace simulate {

enum class Trouble {
  stop,           // Trainer::stop()
  exception,      // from a hook or a sink
  signal,         // SIGINT or SIGTERM
  second_signal,  // two of them
  kill,           // SIGKILL
  power_cut,      // SIGKILL, and what was not synced may be lost
  failing_calls,  // of the file system
  full_disk,
  low_memory,  // one or several allocations in a row that fail
  refused_threads,
  chdir,
  link,           // a symbolic link to another directory takes the place of that of the run
  deletion,       // of the directory of the run
  other_process,  // another process resumes the run at that instant
  idle_child,     // a hook forks a child, which outlives the session
  busy_child,     // a hook forks a child, which goes on with the run
};
inline constexpr std::array trouble_names{"stop()",
                                          "exceptions",
                                          "signals",
                                          "second signals",
                                          "kills",
                                          "power cuts",
                                          "failing calls",
                                          "full disks",
                                          "low memory",
                                          "refused threads",
                                          "chdirs",
                                          "links",
                                          "deleted directories",
                                          "other processes",
                                          "idle children",
                                          "busy children"};

/// What the program does about SIGINT and SIGTERM before the session.
enum class Disposition { standard, ignored, handled };

struct Event {
  Trouble what;
  std::int64_t instant;  // the first at which it can happen
};

/// How long a session is.
struct Extent {
  std::int64_t instants;
  std::int64_t preparations;  // allocations before its first step
  std::int64_t allocations;   // in all
};

/// What happens to a session.
struct Plan {
  world::Weather weather = {};
  heap_faults::Plan memory = {.with_malloc = true};
  std::vector<Event> events = {};
  Disposition disposition = Disposition::standard;
  int signal = SIGTERM;
  int threads = 1;
  bool relative = false;      // whether the options name the directory by a relative path
  std::uint64_t cadence = 1;  // the seed of when checkpoints are written

  bool has(Trouble what) const;
  /// Whether the file system or the memory fails.
  bool has_faults() const;
  /// Whether the session needs a process of its own, because it may end one or starts threads.
  bool needs_process() const;
  /// In words, for a violation.
  std::string text() const;
};

}  // namespace simulate
