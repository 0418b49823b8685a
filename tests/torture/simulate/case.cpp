#include "torture/simulate/case.h"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "torture/simulate/data.h"
#include "torture/simulate/fate.h"
#include "torture/simulate/promises.h"

namespace simulate {
namespace {

// Makes a session that may end its process.
void in_process(const Subject& subject, const Plan& plan, const End* want, Report& report, Counts& counts) {
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child < 0) std::abort();
  if (child == 0) {
    run_session(subject, plan, want, report, counts);
    std::_Exit(0);
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
  const int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  const bool killed = signal == SIGKILL && (plan.has(Trouble::kill) || plan.has(Trouble::power_cut));
  const bool ended = signal == plan.signal && (plan.has(Trouble::signal) || plan.has(Trouble::second_signal));
  if (!killed && !ended)
    report.violation("a session ends with a result or an exception",
                     signal ? "signal " + std::to_string(signal) : "status " + std::to_string(status));
}

class Trial {
 public:
  Trial(std::uint64_t number, const fs::path& root, Report& report, Counts& counts, bool verbose)
      : fate_(number),
        case_(fate_.grown(number)),
        layering_(static_cast<int>(fate_.below(2 * layerings))),
        root_(root),
        report_(report),
        counts_(counts),
        verbose_(verbose) {
    if (layering_ >= layerings) layering_ = 0;
  }

  void run() {
    fs::create_directories(root_ / "quiet" / "stranger");
    const End want = quiet_run();
    if (!report_.is_clean()) return;
    make_stranger();
    const Subject subject{case_, {root_}, layered_data(case_, layering_)};
    report_.saved = 0;
    const Extent extent = report_.extent;
    for (std::int64_t left = 1 + fate_.below(3); left > 0 && report_.is_clean(); --left)
      session(subject, fate_.troubled(case_, extent), want);
    if (report_.is_clean()) last_session(subject, want);
    ++counts_.cases;
  }

 private:
  void announce(const Plan& plan) {
    std::snprintf(report_.session, sizeof report_.session, "%s", plan.text().c_str());
    if (verbose_) std::printf("session: %s\n", report_.session);
  }

  // How the run ends when nothing happens to it. The same run without checkpoints, on the data without layers, has the
  // same weights.
  End quiet_run() {
    const Subject subject{case_, {root_ / "quiet"}, layered_data(case_, layering_)};
    const Plan plan;
    announce(plan);
    fs::current_path(subject.place.root);
    End want = run_session(subject, plan, nullptr, report_, counts_);
    auto model = model_of(case_, 99);
    read_directory(want, model, run_in(subject.place.work()).value());
    counts_.rolled_back += want.fit.rollbacks > 0;
    counts_.diverged += want.diverged;
    ++counts_.runs;
    const Extent extent = report_.extent;
    Rng rng(1);
    const std::uint64_t plain = resume_case::session(case_, {}, false, rng, nullptr).weights;
    if (plain != want.weights)
      report_.violation("the same weights without checkpoints and layers of data sets", "others");
    report_.extent = extent;
    fs::current_path(root_);
    fs::remove_all(root_ / "quiet");
    return want;
  }

  // Files as a careless run would write or remove them.
  void make_stranger() {
    const fs::path stranger = Place{root_}.stranger();
    fs::create_directories(stranger);
    for (const char* name :
         {"checkpoint-000001.hrc", "checkpoint-000002.hrc", "metrics.csv", ".lock", ".checkpoint-000003.hrc.tmp-1-0"})
      std::ofstream(stranger / name) << name;
    fs::create_directories(stranger / "work/run");
  }

  void session(const Subject& subject, const Plan& plan, const End& want) {
    announce(plan);
    const Directories directories(subject.place);
    if (plan.needs_process())
      in_process(subject, plan, &want, report_, counts_);
    else
      run_session(subject, plan, &want, report_, counts_);
    put_back(subject.place);
    directories.check(plan, report_);
  }

  // Of a process that was killed after a link has taken the place of its directory.
  void put_back(const Place& place) {
    if (!fs::exists(place.moved())) return;
    for (const auto& entry : fs::directory_iterator(place.work() / "run")) {
      if (!entry.is_symlink()) continue;
      const fs::path link = entry.path();
      fs::remove(link);
      fs::rename(place.moved(), link);
      return;
    }
  }

  void last_session(const Subject& subject, const End& want) {
    const Plan plan = fate_.calm();
    announce(plan);
    End got = run_session(subject, plan, &want, report_, counts_);
    if (!report_.is_clean()) return;
    auto model = model_of(case_, 99);
    read_directory(got, model, run_in(subject.place.work()).value());
    if (report_.lines_lost) got.metrics = want.metrics, got.state = want.state;
    if (const std::string what = differences(got, want); !what.empty())
      report_.violation("the same bits as the run that nothing happens to", "other" + what);
  }

  Fate fate_;
  Case case_;
  int layering_;
  fs::path root_;
  Report& report_;
  Counts& counts_;
  bool verbose_;
};

}  // namespace

void run_case(std::uint64_t number, const fs::path& root, Report& report, Counts& counts, bool verbose) {
  Trial(number, root, report, counts, verbose).run();
}

}  // namespace simulate
