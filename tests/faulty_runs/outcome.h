#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "program.h"

namespace faulty_runs {

/// An anomaly of a run, as the verdict needs it.
struct Finding {
  std::string name;
  bool is_cause;    // whether its rank is that of a cause, not of an outcome or a symptom
  bool is_warning;  // whether it says that something is wrong, rather than that something may be worth knowing
};

enum class End { trained, refused, crashed, timed_out };

/// What a program came to in a process of its own.
struct Outcome {
  End end = End::crashed;
  std::string error = {};  // the message of the exception that refused it, or how the process ended
  std::vector<Finding> diagnosis = {};
  std::string text = {};
  std::vector<float> credits = {};
  double score = 0;
  std::optional<double> reported = {};
  Index validation_rows = 0;
  Index further_fits = 0;
  std::string kept = {}, attempts = {};
};

/// The first warning of the diagnosis; null for none.
const Finding* first_warning(const Outcome& outcome);

using Job = std::function<Program()>;

/// Makes the program and runs it in this process. A typed exception of the library is a refusal; others leave.
Outcome run_here(const Job& job);
/// Runs all jobs, each in a process of its own with one thread, `processes` at a time. A process that ends otherwise
/// than with a result has crashed; one that takes longer than the limit is killed and has timed out. The calling
/// process must not have used the library's threads. Prints progress to the standard error.
std::vector<Outcome> run_apart(const std::vector<Job>& jobs, int processes, double limit_seconds = 60);

}  // namespace faulty_runs
