// Makes allocations fail, one or several in a row, while a program trains, resumes, evaluates, saves, loads and reads;
// each attempt in a process of its own. An attempt must end with std::bad_alloc, an error of the library that tells of
// the lack of memory, or the right result. Afterwards the same objects must work, with the bits of a run in which
// nothing failed, and the directory of the run must resume.
// usage: low_memory [SINGLE] [BURSTS] [SEED] [THREADS]      2000 allocations and 250 bursts of 5 to 20 by default
//        low_memory --case SCENARIO FIRST COUNT             one attempt in this process, for a debugger
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <numeric>
#include <string>
#include <vector>

#include <handrail/core/random.h>
#include <handrail/core/system/parallel.h>
#include <handrail/core/system/pool.h>

#include "support/heap_faults.h"
#include "support/memory_errors.h"
#include "torture/low_memory/scenarios.h"
#include "torture/time_limit.h"

using namespace handrail;
namespace fs = std::filesystem;
using heap_faults::Outcome;
using heap_faults::Plan;

extern "C" int fsync(int) { return 0; }  // no machine stops here: waiting for the disk would only take time

namespace {

// What an attempt tells the process that started it.
struct Report {
  Outcome outcome;
  std::int64_t calls;
  char problem[600];
};

std::ptrdiff_t open_descriptors() {
  return std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator());
}

void attempt(const Scenario& scenario, const Plan& plan, const fs::path& dir, Report& report) {
  std::string problem;
  const Attempt attempt = scenario.make(dir);
  const std::ptrdiff_t descriptors = open_descriptors();
  release_cached_memory();  // else tensors need none
  bool threw = false;       // also for want of memory that was not planned
  report.outcome = heap_faults::fail_as_planned(plan, attempt.act, [&] {
    threw = true;
    problem = unsuitable_for_low_memory();
  });
  report.calls = heap_faults::calls;
  try {
    if (open_descriptors() != descriptors) problem = "a file was left open";
    if (problem.empty()) problem = attempt.check(threw);
  } catch (const std::exception& error) {
    problem = std::string("afterwards: ") + error.what();
  }
  std::snprintf(report.problem, sizeof report.problem, "%s", problem.c_str());
}

struct Tally {
  std::int64_t attempts = 0, threw = 0, succeeded = 0, unreached = 0, aborts = 0, wrong = 0;
};

class Campaign {
 public:
  explicit Campaign(int threads) : threads_(threads) {
    void* shared = mmap(nullptr, sizeof(Report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) std::abort();
    report_ = static_cast<Report*>(shared);
    const fs::path memory = "/dev/shm";
    const fs::path parent = access(memory.c_str(), W_OK | X_OK) == 0 ? memory : fs::temp_directory_path();
    scratch_ = parent / ("handrail-low-memory-" + std::to_string(getpid()));
    fs::create_directories(scratch_);
  }
  ~Campaign() {
    std::error_code ignored;
    fs::remove_all(scratch_, ignored);
    munmap(report_, sizeof(Report));
  }
  Campaign(const Campaign&) = delete;
  Campaign& operator=(const Campaign&) = delete;

  // Makes what all attempts compare with, and returns how many allocations one makes when none fails.
  std::int64_t prepare(const Scenario& scenario) {
    scenario.make(scratch_ / "first");
    Tally tally;
    run(scenario, {}, tally);
    if (tally.aborts + tally.wrong > 0) std::exit(1);
    return report_->calls;
  }

  void run(const Scenario& scenario, Plan plan, Tally& tally) {
    plan.with_malloc = threads_ == 1;  // libgomp ends the process when malloc fails while its team starts
    const fs::path dir = scratch_ / "attempt";
    *report_ = {};
    std::fflush(stdout);
    const pid_t child = fork();
    if (child < 0) std::abort();
    if (child == 0) {
      limit_seconds(60);
      if (std::freopen("/dev/null", "w", stderr) == nullptr) std::_Exit(2);
      set_num_threads(threads_);
      attempt(scenario, plan, dir, *report_);
      std::_Exit(0);
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    fs::remove_all(dir);
    ++tally.attempts;
    const bool aborted = !WIFEXITED(status) || WEXITSTATUS(status) != 0, wrong = report_->problem[0] != '\0';
    tally.aborts += aborted;
    tally.wrong += !aborted && wrong;
    if (!aborted && !wrong) {
      tally.threw += report_->outcome == Outcome::threw;
      tally.succeeded += report_->outcome == Outcome::ignored;
      tally.unreached += report_->outcome == Outcome::no_fault;
    }
    constexpr std::int64_t max_shown = 10;
    if ((aborted || wrong) && tally.aborts + tally.wrong <= max_shown)
      std::printf("low_memory --case '%s' %lld %lld: %s%d %s\n", scenario.name, static_cast<long long>(plan.first),
                  static_cast<long long>(plan.count), aborted ? "ended the process, wait status " : "",
                  aborted ? status : 0, aborted ? "" : report_->problem);
  }

 private:
  int threads_;
  Report* report_;
  fs::path scratch_;
};

// Up to `count` different numbers from 1 to `size`, in order.
std::vector<std::int64_t> sample(std::int64_t size, std::int64_t count, Rng& rng) {
  std::vector<std::int64_t> all(static_cast<std::size_t>(size));
  std::iota(all.begin(), all.end(), 1);
  rng.shuffle(std::span(all));
  all.resize(static_cast<std::size_t>(std::min(size, count)));
  std::ranges::sort(all);
  return all;
}

std::vector<Scenario> scenarios(bool threaded) {
  const auto ours = threaded ? threaded_scenarios() : training_scenarios();
  std::vector<Scenario> all(ours.begin(), ours.end());
  if (!threaded) all.insert(all.end(), part_scenarios().begin(), part_scenarios().end());
  return all;
}

int run_one(const std::string& name, std::int64_t first, std::int64_t count) {
  const fs::path dir = fs::temp_directory_path() / ("handrail-low-memory-" + std::to_string(getpid()));
  for (const bool threaded : {false, true})
    for (const Scenario& scenario : scenarios(threaded)) {
      if (scenario.name != name) continue;
      set_num_threads(threaded ? 2 : 1);
      Report report{};
      attempt(scenario, {.first = first, .count = count, .with_malloc = !threaded}, dir, report);
      std::printf("%lld allocations; %s\n", static_cast<long long>(report.calls), report.problem);
      fs::remove_all(dir);
      return report.problem[0] != '\0';
    }
  return 2;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc == 5 && std::string(argv[1]) == "--case") return run_one(argv[2], std::atoll(argv[3]), std::atoll(argv[4]));
  const auto argument = [&](int i, std::int64_t otherwise) { return argc > i ? std::atoll(argv[i]) : otherwise; };
  const std::int64_t singles = argument(1, 2000), bursts = argument(2, 250), threads = argument(4, 1);
  if (argc > 5 || singles < 1 || bursts < 0 || threads < 1) {
    std::fprintf(stderr, "usage: low_memory [SINGLE] [BURSTS] [SEED] [THREADS]\n");
    return 2;
  }
  set_num_threads(1);  // a team of threads does not survive a fork
  Rng rng(StreamKey{.seed = static_cast<std::uint64_t>(argument(3, 1)), .stream = Stream::user});
  Campaign campaign(static_cast<int>(threads));
  struct Row {
    Scenario scenario;
    std::int64_t allocations;
  };
  std::vector<Row> rows;
  for (const Scenario& scenario : scenarios(threads > 1)) rows.push_back({scenario, campaign.prepare(scenario)});
  std::ranges::sort(rows, {}, &Row::allocations);
  std::int64_t singles_left = singles, bursts_left = bursts, rows_left = std::ssize(rows), aborts = 0, wrong = 0;
  for (const auto& [scenario, allocations] : rows) {
    Tally one, several;
    for (const std::int64_t first : sample(allocations, singles_left / rows_left, rng))
      campaign.run(scenario, {.first = first}, one);
    for (std::int64_t i = bursts_left / rows_left; i > 0; --i)
      campaign.run(scenario,
                   {.first = 1 + static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(allocations))),
                    .count = 5 + static_cast<std::int64_t>(rng.below(16))},
                   several);
    singles_left -= one.attempts;
    bursts_left -= several.attempts;
    --rows_left;
    for (const auto& [what, t] : {std::pair("single", one), std::pair("bursts", several)})
      std::printf(
          "%-12s %6lld allocations, %5lld %s: %5lld threw, %3lld succeeded, %3lld unreached, %lld aborts, %lld wrong\n",
          scenario.name, static_cast<long long>(allocations), static_cast<long long>(t.attempts), what,
          static_cast<long long>(t.threw), static_cast<long long>(t.succeeded), static_cast<long long>(t.unreached),
          static_cast<long long>(t.aborts), static_cast<long long>(t.wrong));
    std::fflush(stdout);
    aborts += one.aborts + several.aborts;
    wrong += one.wrong + several.wrong;
  }
  std::printf("%lld single failures and %lld bursts: %lld aborts, %lld wrong\n",
              static_cast<long long>(singles - singles_left), static_cast<long long>(bursts - bursts_left),
              static_cast<long long>(aborts), static_cast<long long>(wrong));
  return aborts + wrong == 0 ? 0 : 1;
} catch (const std::exception& error) {
  std::fprintf(stderr, "low_memory: %s\n", error.what());
  return 1;
}
