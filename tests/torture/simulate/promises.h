#pragma once

#include <csignal>
#include <cstddef>
#include <exception>
#include <filesystem>
#include <set>
#include <string>

#include "torture/simulate/session.h"

// What docs/durability.md promises, as checks. Each adds what is broken to the report.

namespace simulate {

/// What a session must leave as it was in its process.
class ProcessState {
 public:
  ProcessState();
  /// Compares with the process as it is now.
  void check(bool directory_changes, Report& report) const;

 private:
  sigset_t mask_;
  struct sigaction actions_[4];
  unsigned long fp_mode_;
  std::size_t descriptors_;
  std::filesystem::path directory_;
};

/// Whether a session with that plan may end with this exception.
void check_exception(const std::exception_ptr& error, const Plan& plan, Report& report);

/// The result of a session that ended without an exception. handled: the calls of the program's own signal handler.
void check_result(const train::FitResult& result, std::uint64_t weights, const Plan& plan, const End* want,
                  Report& report);

/// Names and bytes of all that is in a directory.
std::string contents(const std::filesystem::path& directory);

/// The directories of a case, as they are before a session.
class Directories {
 public:
  explicit Directories(const Place& place);
  /// Compares with how they are after it: nobody else's has changed, this process has left no temporary file, and the
  /// newest checkpoint that was written can be read.
  void check(const Plan& plan, Report& report) const;

 private:
  std::set<std::string> temporaries() const;  // of this process

  const Place& place_;
  std::string stranger_;
  std::set<std::string> temporaries_;
};

}  // namespace simulate
