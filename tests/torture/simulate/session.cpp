#include "torture/simulate/session.h"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <optional>
#include <utility>

#include <handrail/core/system/finite.h>

#include "torture/simulate/helper.h"
#include "torture/simulate/promises.h"

namespace simulate {
namespace {

volatile std::sig_atomic_t handled = 0;  // calls of the program's own handler
void handle(int) { handled = handled + 1; }

void dispose(Disposition how) {
  struct sigaction action {};
  action.sa_handler = how == Disposition::standard ? SIG_DFL : how == Disposition::ignored ? SIG_IGN : handle;
  for (const int signal : {SIGINT, SIGTERM}) sigaction(signal, &action, nullptr);
  handled = 0;
}

// The session, which the world tells of each instant.
class Session {
 public:
  Session(const Subject& subject, const Plan& plan, Report& report, Counts& counts)
      : subject_(subject), plan_(plan), report_(report), counts_(counts), run_(run_in(subject.place.work())) {}

  End run(const End* want);

 private:
  train::TrainerOptions options() const;
  void at_instant(std::int64_t number, std::string_view call);
  void at_hook(std::string_view place, std::int64_t number);
  bool is_possible(Trouble what) const;
  void perform(Trouble what);
  void cut_power();
  void replace_by_link();
  void ask_helper();
  void fork_child(bool goes_on);
  fs::path run_path() const;
  void check_start(std::int64_t step);
  void check_signals(bool in_result);
  void clean_up();

  const Subject& subject_;
  const Plan& plan_;
  Report& report_;
  Counts& counts_;
  std::optional<fs::path> run_;          // the directory that is resumed
  const fs::path earlier_ = run_path();  // the newest one before the session
  world::Simulation* world_ = nullptr;
  Interrupted* trainer_ = nullptr;
  std::optional<Helper> helper_;
  std::vector<bool> done_ = std::vector<bool>(plan_.events.size());
  std::optional<fs::path> linked_;  // the directory of the run that a link has replaced
  bool in_hook_ = false, begun_ = false, stepped_ = false, is_child_ = false;
};

train::TrainerOptions Session::options() const {
  Rng rng(plan_.cadence);
  return session_options(subject_.c, plan_.relative ? subject_.place.work().filename() : subject_.place.work(), true,
                         rng);
}

// What happens at an instant happens once, at the first that suits it.
void Session::at_instant(std::int64_t number, std::string_view) {
  for (std::size_t i = 0; i < plan_.events.size() && !is_child_; ++i) {
    const auto& [what, instant] = plan_.events[i];
    if (done_[i] || number < instant || !is_possible(what)) continue;
    done_[i] = true;
    ++counts_.troubles[static_cast<std::size_t>(what)];
    perform(what);
  }
}

void Session::at_hook(std::string_view place, std::int64_t number) {
  if (!is_child_) {
    const world::Outside outside;
    if (place == "on_train_start") {
      begun_ = true;
      report_.extent.preparations = heap_faults::calls;
    }
    if (place == "on_checkpoint") report_.saved = number;
    if (place == "on_step_start" && begun_ && !std::exchange(stepped_, true)) check_start(number);
  }
  in_hook_ = true;
  try {
    world_->visit(place);
  } catch (...) {
    in_hook_ = false;
    throw;
  }
  in_hook_ = false;
}

bool Session::is_possible(Trouble what) const {
  switch (what) {
    case Trouble::exception:
    case Trouble::chdir:
    case Trouble::idle_child:
    case Trouble::busy_child:
      return in_hook_;
    case Trouble::link:
    case Trouble::deletion:
      return in_hook_ && !linked_ && fs::is_directory(run_path());
    default:
      return true;
  }
}

void Session::perform(Trouble what) {
  switch (what) {
    case Trouble::stop:
      return trainer_->stop();
    case Trouble::exception:
      throw Mine();
    case Trouble::second_signal:
      std::raise(plan_.signal);
      [[fallthrough]];
    case Trouble::signal:
      std::raise(plan_.signal);
      return;
    case Trouble::power_cut:
      cut_power();
      [[fallthrough]];
    case Trouble::kill:
      std::raise(SIGKILL);
      return;
    case Trouble::chdir:
      return fs::current_path(subject_.place.stranger());
    case Trouble::link:
      return replace_by_link();
    case Trouble::deletion:
      fs::remove_all(run_path());
      report_.lines_lost = true;
      report_.saved = 0;
      return;
    case Trouble::other_process:
      return ask_helper();
    case Trouble::idle_child:
    case Trouble::busy_child:
      return fork_child(what == Trouble::busy_child);
    default:
      return;  // happens by itself
  }
}

void Session::cut_power() {
  Rng rng(plan_.cadence + 1);
  world_->cut_power(rng);
}

// The directory of the run, whether or not it has a checkpoint yet.
fs::path Session::run_path() const {
  if (run_) return *run_;
  std::error_code none;
  std::int64_t newest = 0;
  for (const auto& entry : fs::directory_iterator(subject_.place.work() / "run", none))
    newest = std::max(newest, train::sequence_in(entry.path().filename().string()).value_or(0));
  return subject_.place.work() / "run" / std::to_string(newest);
}

void Session::replace_by_link() {
  const fs::path run = run_path();
  fs::rename(run, subject_.place.moved());
  fs::create_directory_symlink(subject_.place.stranger(), run);
  linked_ = run;
}

void Session::ask_helper() {
  if (!helper_) return;
  const bool locked = world_->holds_lock();
  const Helper::Answer answer = helper_->ask();
  if (answer == Helper::Answer::resumed && locked)
    report_.violation("two processes never write to one run", "another process resumed the run while this one had it");
  if (answer == Helper::Answer::failed)
    report_.violation("another process resumes the run, or is told that it is in use", "another error or a crash");
}

// A child that goes on ends before its parent does; one that is idle has begun to live.
void Session::fork_child(bool goes_on) {
  const std::string before = goes_on ? contents(subject_.place.work()) : "";
  int ready[2];
  if (pipe(ready) != 0) std::abort();
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child < 0) std::abort();
  if (child == 0) {
    is_child_ = true;
    close(ready[0]);
    close(ready[1]);
    if (goes_on) return;
    for (;;) pause();  // until the end of the case
  }
  close(ready[1]);
  char none = 0;
  while (read(ready[0], &none, 1) < 0 && errno == EINTR) {
  }
  close(ready[0]);
  if (!goes_on) return;
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  const bool by_signal =
      WIFSIGNALED(status) && WTERMSIG(status) == plan_.signal;  // which came before, and is sent again
  if (!by_signal && (!WIFEXITED(status) || WEXITSTATUS(status) != 0))
    report_.violation("a forked child may go on with the run", "status " + std::to_string(status));
  if (contents(subject_.place.work()) != before)
    report_.violation("a forked child never writes to the run of its parent", "the directory differs");
}

// A resumed run continues from the newest checkpoint, which nobody can write a newer one of any more.
void Session::check_start(std::int64_t step) {
  if (!run_ || plan_.has_faults() || plan_.has(Trouble::link) || plan_.has(Trouble::deletion)) return;
  const auto newest = train::CheckpointStore::load_newest(*run_);
  if (newest->state.progress.step + 1 != step)
    report_.violation(
        "a run is resumed from its newest checkpoint, of step " + std::to_string(newest->state.progress.step),
        "its next step is " + std::to_string(step));
}

// A signal is in the result or goes to the handler that the program had before, once.
void Session::check_signals(bool in_result) {
  int sent = 0;  // two at a time come after the run, or the process has ended
  for (std::size_t i = 0; i < done_.size(); ++i) {
    const Trouble what = plan_.events[i].what;
    if (done_[i]) sent += what == Trouble::signal ? 1 : what == Trouble::second_signal ? 2 : 0;
  }
  const int want = plan_.disposition == Disposition::handled && !in_result ? sent : 0;
  if (handled != want)
    report_.violation("a signal is in the result or is sent to the program again",
                      std::string(in_result ? "in the result" : "not in the result") + ", and the handler was called " +
                          std::to_string(handled) + " times");
}

// What the troubles have changed besides.
void Session::clean_up() {
  if (::chdir(subject_.place.root.c_str()) != 0) std::abort();
  if (!linked_) return;
  std::error_code none;
  if (fs::is_symlink(*linked_, none)) fs::remove(*linked_);
  if (!fs::exists(*linked_, none)) fs::rename(subject_.place.moved(), *linked_);
}

End Session::run(const End* want) {
  auto model = model_of(subject_.c, run_ ? 99 : subject_.c.seed);
  Interrupted trainer(model, subject_.c, options());
  trainer_ = &trainer;
  trainer.visit = [this](std::string_view place, std::int64_t number) { at_hook(place, number); };
  trainer.reported = [this](const train::Anomaly& anomaly) {
    if (!is_child_ && anomaly.name == "metrics_log") report_.lines_lost = true;
  };
  if (plan_.has(Trouble::other_process)) helper_.emplace(subject_, plan_.cadence + 2);
  // A resume that cannot read the newest checkpoint cuts the lines that belong to it, and a later one may read it.
  report_.lines_lost = run_ && (report_.lines_lost || plan_.has(Trouble::failing_calls));
  if (!run_) report_.saved = 0;
  dispose(plan_.disposition);
  set_num_threads(plan_.threads);
  const ProcessState before;

  End end;
  std::optional<train::FitResult> result;
  std::exception_ptr error;
  {
    world::Simulation world(plan_.weather,
                            [this](std::int64_t number, std::string_view call) { at_instant(number, call); });
    world_ = &world;
    if (plan_.has(Trouble::power_cut)) world.watch_disk(subject_.place.root);
    const auto outcome = heap_faults::fail_as_planned(
        plan_.memory, [&] { result = run_ ? trainer.resume(*run_, *subject_.data) : trainer.fit(*subject_.data); },
        [&] { error = std::current_exception(); });
    if (is_child_) std::_Exit(0);
    report_.extent.instants = world.instants();
    report_.extent.allocations = heap_faults::calls;
    const auto count = [&](Trouble what, std::int64_t number) {
      if (plan_.has(what)) counts_.troubles[static_cast<std::size_t>(what)] += number;
    };
    count(Trouble::failing_calls, world.faults());
    count(Trouble::full_disk, world.faults() > 0);
    count(Trouble::low_memory, outcome != heap_faults::Outcome::no_fault);
    count(Trouble::refused_threads, world.refused_threads());
    counts_.instants += world.instants();
  }
  before.check(plan_.has(Trouble::chdir), report_);
  helper_.reset();
  clean_up();
  ++counts_.sessions;
  counts_.resumed += run_.has_value();
  counts_.finished += result.has_value();
  end.weights = hash_of(model);
  end.calls = trainer.calls();
  for (const Parameter& p : model.parameters())
    if (first_non_finite(p.tensor.span()) >= 0) report_.violation("weights are finite", "'" + p.name + "' is not");
  if (error) check_exception(error, plan_, report_);
  if (result) {
    check_result(*result, end.weights, plan_, want, report_);
    end.fit = *result;
    end.result = text_of(*result);
  }
  check_signals(result && result->signal == plan_.signal);
  const bool is_disturbed = plan_.has_faults() || plan_.has(Trouble::link) || plan_.has(Trouble::deletion);
  if (!run_ && !begun_ && !is_disturbed && run_path() != earlier_)
    report_.violation("a run that ends before its first step leaves no file", run_path());
  return end;
}

}  // namespace

void Report::violation(const std::string& promise, const std::string& seen) {
  if (!is_clean()) return;
  std::snprintf(problem, sizeof problem, "  promised: %s\n  seen:     %s\n  session:  %s\n", promise.c_str(),
                seen.c_str(), session);
}

End run_session(const Subject& subject, const Plan& plan, const End* want, Report& report, Counts& counts) {
  return Session(subject, plan, report, counts).run(want);
}

}  // namespace simulate
