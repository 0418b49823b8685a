#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "torture/resume_session.h"
#include "torture/simulate/plan.h"

// One session of a run in the simulated world, and what happens to it.

namespace simulate {

using namespace resume_case;

/// What the processes of a case tell each other and the driver, in memory that they share.
struct Report {
  char problem[6000];  // the first violation; empty without one
  std::int64_t saved;  // the number of the newest checkpoint that the session has written
  bool lines_lost;     // whether metrics.csv has lost lines, and the run has said so
  char session[800];   // the plan of the session that goes on
  Extent extent;       // of the last session
  /// Notes that a promise was broken.
  void violation(const std::string& promise, const std::string& seen);
  bool is_clean() const { return problem[0] == '\0'; }
};

/// What a campaign has done, in memory that all processes share.
struct Counts {
  std::atomic<std::int64_t> cases, runs, sessions, finished, resumed, instants, rolled_back, diverged;
  std::array<std::atomic<std::int64_t>, trouble_names.size()> troubles;
};

/// Where a case is.
struct Place {
  std::filesystem::path root;
  std::filesystem::path work() const { return root / "work"; }  // the directory of all runs
  /// A directory that belongs to another program.
  std::filesystem::path stranger() const { return root / "stranger"; }
  std::filesystem::path moved() const { return root / "moved"; }
};

/// All that the case decides for each of its sessions.
struct Subject {
  const Case& c;
  Place place;
  std::shared_ptr<const train::Dataset> data;
};

/// Makes a session: resumes the run that the directory has, or begins one. want: how the run ends when nothing
/// happens to it, or null. Broken promises are in the report. Returns what it leaves; `state` and `metrics` are empty.
End run_session(const Subject& subject, const Plan& plan, const End* want, Report& report, Counts& counts);

}  // namespace simulate
