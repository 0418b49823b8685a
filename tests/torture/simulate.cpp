// Simulates whole runs together with everything outside of them: the file system, the clock, signals, memory, threads,
// other processes. Each case is a random run (tests/torture/resume_case.h) in several sessions, to which something
// happens at random instants: a call of the file system that fails, a power cut, a kill, a signal, an allocation that
// fails, and so on: see Trouble in simulate/plan.h. Each session and the end of the run are compared with what
// docs/durability.md promises, and with the same run that nothing happened to.
//   simulate SECONDS [SEED]    the cases with the numbers SEED, SEED + 1, ... until the time is over or a promise is
//                              broken, with the command that repeats that case; without a SEED it is drawn at random
//   simulate --case NUMBER     exactly that case, with the plan of each of its sessions
// A case follows from its number alone: it neither reads the real clock nor starts anything that runs at the same time.
// Each is a process of its own, so that a crash, an abort and a hang break a promise too.
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <random>
#include <string>
#include <string_view>
#include <thread>

#include "torture/simulate/case.h"
#include "torture/time_limit.h"

using namespace simulate;
using Clock = std::chrono::steady_clock;

namespace {

constexpr unsigned max_seconds_per_case = 60;
constexpr int max_workers = 2;

struct Worker {
  pid_t process = 0;  // 0: none
  std::uint64_t number = 0;
};

// What the processes share.
struct Shared {
  Counts counts;
  std::array<Report, max_workers> reports;
};

class Campaign {
 public:
  Campaign() {
    void* memory = mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) std::abort();
    shared_ = new (memory) Shared();
    const fs::path parent = access("/dev/shm", W_OK | X_OK) == 0 ? "/dev/shm" : fs::temp_directory_path();
    // Of one length, on which the allocations of a case depend.
    std::string name = (parent / "handrail-simulate-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) std::abort();
    scratch_ = name;
  }
  ~Campaign() {
    std::error_code ignored;
    fs::remove_all(scratch_, ignored);
    munmap(shared_, sizeof(Shared));
  }
  Campaign(const Campaign&) = delete;
  Campaign& operator=(const Campaign&) = delete;

  void start(std::size_t slot, std::uint64_t number, bool verbose) {
    shared_->reports.at(slot) = {};
    workers_.at(slot).number = number;
    std::fflush(nullptr);
    const pid_t child = fork();
    if (child < 0) std::abort();
    if (child == 0) {
      setpgid(0, 0);  // so that what it starts ends with it
      limit_seconds(max_seconds_per_case);
      set_num_threads(1);  // a team of threads does not survive a fork
      Report& report = shared_->reports.at(slot);
      try {
        run_case(number, root(slot), report, shared_->counts, verbose);
      } catch (const std::exception& error) {
        report.violation("a case comes to its end", error.what());
      }
      std::fflush(nullptr);
      std::_Exit(0);
    }
    setpgid(child, child);
    workers_.at(slot).process = child;
  }

  // Waits until a case is over, and returns its slot.
  std::size_t finish() {
    int status = 0;
    pid_t child = 0;
    while ((child = waitpid(-1, &status, 0)) < 0 && errno == EINTR) {
    }
    const auto slot = static_cast<std::size_t>(std::ranges::find(workers_, child, &Worker::process) - workers_.begin());
    kill(-child, SIGKILL);  // children that have outlived it
    Report& report = shared_->reports.at(slot);
    if (WIFSIGNALED(status) && (WTERMSIG(status) == SIGALRM || WTERMSIG(status) == SIGXCPU))
      report.violation("a session ends", "it hung for " + std::to_string(max_seconds_per_case) + " seconds");
    else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
      report.violation("a session ends with a result or an exception",
                       "the process ended with status " + std::to_string(status));
    fs::remove_all(root(slot));
    workers_.at(slot).process = 0;
    violations_ += !report.is_clean();
    if (!report.is_clean())
      std::printf("VIOLATION in case %llu\n%s  repeat:   tests/run simulate --case %llu\n",
                  static_cast<unsigned long long>(workers_.at(slot).number), report.problem,
                  static_cast<unsigned long long>(workers_.at(slot).number));
    std::fflush(stdout);
    return slot;
  }

  void run(double seconds, std::uint64_t first) {
    const std::size_t workers = std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, max_workers);
    const auto end = Clock::now() + std::chrono::duration<double>(seconds);
    std::size_t running = 0;
    for (; running < workers; ++running) start(running, first++, false);
    while (running > 0) {
      const std::size_t slot = finish();
      --running;
      if (Clock::now() >= end || violations_ > 0) continue;
      start(slot, first++, false);
      ++running;
    }
  }

  void print_counts() const {
    const Counts& c = shared_->counts;
    const auto number = [](const auto& count) { return static_cast<long long>(count.load()); };
    std::printf(
        "%lld cases, %lld runs that nothing happens to (%lld roll back, %lld end diverged), %lld sessions (%lld "
        "resumed, "
        "%lld with a result), %lld instants\n",
        number(c.cases), number(c.runs), number(c.rolled_back), number(c.diverged), number(c.sessions),
        number(c.resumed), number(c.finished), number(c.instants));
    for (std::size_t i = 0; i < c.troubles.size(); ++i)
      std::printf("%s%lld %s", i == 0 ? "" : ", ", number(c.troubles[i]), trouble_names.at(i));
    std::printf("\n%d violations\n", violations_);
  }
  int violations() const { return violations_; }

 private:
  fs::path root(std::size_t slot) const { return scratch_ / std::to_string(slot); }

  Shared* shared_;
  fs::path scratch_;
  std::array<Worker, max_workers> workers_{};
  int violations_ = 0;
};

}  // namespace

int main(int argc, char** argv) try {
  const bool one = argc == 3 && std::string_view(argv[1]) == "--case";
  const double seconds = argc > 1 && !one ? std::atof(argv[1]) : 120;
  if ((argc > 3) || !(seconds > 0)) {
    std::fprintf(stderr, "usage: simulate SECONDS [SEED]\n       simulate --case NUMBER\n");
    return 2;
  }
  const std::uint64_t seed = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : std::random_device()();
  Campaign campaign;
  if (one) {
    campaign.start(0, seed, true);
    campaign.finish();
  } else {
    std::printf("simulate %g %llu\n", seconds, static_cast<unsigned long long>(seed));
    campaign.run(seconds, seed);
  }
  campaign.print_counts();
  return campaign.violations() == 0 ? 0 : 1;
} catch (const std::exception& error) {
  std::fprintf(stderr, "simulate: %s\n", error.what());
  return 1;
}
