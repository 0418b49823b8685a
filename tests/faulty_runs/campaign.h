#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "healthy.h"
#include "verdict.h"

namespace faulty_runs {

struct Settings {
  std::set<Part> parts = {Part::dev};
  std::string fault = {}, task = {};  // the only one; empty for all
  std::uint64_t seeds = 3;
  std::uint64_t first_seed = 1;  // tasks and programs of other seeds have not been seen by any rule
  std::optional<std::uint64_t> healthy = {}, pairs = {};  // 250 and 60 for each part; 0 with `fault`
  int processes = 2;
  bool verbose = false;
  bool repair = false;
};

struct FaultRun {
  const Fault* fault;
  std::string task;
  std::uint64_t seed;
  Outcome outcome = {};
  Verdict verdict = Verdict::broken;
  bool harmful = false;
};
struct PairRun {
  const Fault *first, *second;
  std::string task;
  Outcome outcome = {};
};
struct HealthyRun {
  std::string description;
  Outcome outcome = {};
  bool failed = false;  // whether it is far below the usual program of its task, so that an alarm is not a false one
};

struct Results {
  std::vector<FaultRun> faults;
  std::vector<PairRun> pairs;
  std::vector<HealthyRun> healthy;
  double seconds = 0;
};

/// The faults and the tasks that the settings ask for.
std::vector<const Fault*> wanted_faults(const Settings& settings);
std::vector<const TaskKind*> wanted_tasks(const Settings& settings);
/// The healthy program of a task with these faults planted.
Program faulty_program(const TaskKind& task, std::uint64_t seed, const std::vector<const Fault*>& planted);

/// Draws all programs, runs each in a process of its own, and judges them.
Results run_campaign(const Settings& settings);
/// Prints the tables.
void print(const Results& results, const Settings& settings);
/// Runs the programs with a mechanical fault with and without repair, beside a random search over options with as many
/// fits, and prints the table.
void run_repair_campaign(const Settings& settings);
/// The names of the mechanical faults: those that a change of options, of initial weights or of the layers of an
/// nn::Sequential takes out, without another loss, other data or other code.
const std::vector<std::string>& mechanical_faults();
/// Prints the tables of fault types and tasks that docs/faults.md has.
void print_list();
/// That text.
std::string fault_table();

}  // namespace faulty_runs
