#pragma once

#include <sys/types.h>

#include "torture/simulate/session.h"

namespace simulate {

/// Another process, which resumes the run of the case for some steps each time it is asked.
class Helper {
 public:
  enum class Answer : char {
    nothing = 'n',  // there was nothing to resume
    in_use = 'u',   // it was told that another process has the run
    resumed = 'r',  // it has made some steps, or the rest, and has ended
    failed = 'f',
  };

  Helper(const Subject& subject, std::uint64_t seed);
  ~Helper();
  Helper(const Helper&) = delete;
  Helper& operator=(const Helper&) = delete;

  /// Waits until it has done so.
  Answer ask();

 private:
  int to_[2], from_[2];  // pipes
  pid_t child_;
};

}  // namespace simulate
