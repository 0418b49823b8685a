#include "torture/simulate/promises.h"

#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <vector>

#include <handrail/core/system/denormals.h>

#include "support/memory_errors.h"

namespace simulate {
namespace {

constexpr int watched[] = {SIGINT, SIGTERM, SIGPIPE, SIGXFSZ};

std::size_t open_descriptors() {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator()));
}

std::string what_of(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& known) {
    return std::string(typeid(known).name()) + ": " + known.what();
  } catch (...) {
    return "an exception of an unknown type";
  }
}

}  // namespace

ProcessState::ProcessState()
    : fp_mode_(fp_mode::get()), descriptors_(open_descriptors()), directory_(fs::current_path()) {
  pthread_sigmask(SIG_SETMASK, nullptr, &mask_);
  for (std::size_t i = 0; i < std::size(watched); ++i) sigaction(watched[i], nullptr, &actions_[i]);
}

void ProcessState::check(bool directory_changes, Report& report) const {
  sigset_t mask;
  pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  for (int signal = 1; signal < SIGRTMIN; ++signal)
    if (sigismember(&mask, signal) != sigismember(&mask_, signal))
      report.violation("the mask of signals is as before", "another one of signal " + std::to_string(signal));
  for (std::size_t i = 0; i < std::size(watched); ++i) {
    struct sigaction now {};
    sigaction(watched[i], nullptr, &now);
    constexpr unsigned flags = SA_SIGINFO | SA_RESTART | SA_RESETHAND | SA_NODEFER;  // libc has one of its own
    if (now.sa_handler != actions_[i].sa_handler ||
        (static_cast<unsigned>(now.sa_flags ^ actions_[i].sa_flags) & flags) != 0)
      report.violation("the handlers of signals are as before", "another one of signal " + std::to_string(watched[i]));
  }
  if (fp_mode::get() != fp_mode_) report.violation("the floating-point mode is as before", "another one");
  if (const std::size_t now = open_descriptors(); now != descriptors_)
    report.violation("no file is left open", std::to_string(now) + " instead of " + std::to_string(descriptors_));
  if (!directory_changes && fs::current_path() != directory_)
    report.violation("the working directory is as before", fs::current_path());
  if (Tape::active()) report.violation("no tape is left active", "one is");
}

void check_exception(const std::exception_ptr& error, const Plan& plan, Report& report) {
  try {
    std::rethrow_exception(error);
  } catch (const Mine&) {
    if (plan.has(Trouble::exception)) return;
  } catch (const CheckpointError&) {
    if (plan.has(Trouble::failing_calls) || plan.has(Trouble::full_disk) || plan.has(Trouble::deletion) ||
        plan.has(Trouble::link) || unsuitable_for_low_memory().empty())
      return;
  } catch (...) {
    if (plan.has(Trouble::low_memory) && unsuitable_for_low_memory().empty()) return;
  }
  report.violation("only exceptions of a hook, and typed ones that say what has failed", what_of(error));
}

void check_result(const train::FitResult& result, std::uint64_t weights, const Plan& plan, const End* want,
                  Report& report) {
  using train::StopReason;
  if (result.reason == StopReason::requested && !plan.has(Trouble::stop))
    report.violation("a run goes on to its end", "it was stopped by nobody");
  if (result.reason == StopReason::interrupted && !plan.has(Trouble::signal))
    report.violation("a run goes on to its end", "interrupted by no signal");
  if (result.signal != 0 && plan.disposition == Disposition::ignored)
    report.violation("a signal that the program ignores stays ignored", "the run was interrupted");
  const bool is_over = result.reason != StopReason::requested && result.reason != StopReason::interrupted;
  if (!result.checkpoint_problem.empty() && !plan.has_faults() && !plan.has(Trouble::deletion))
    report.violation("checkpoints are written", result.checkpoint_problem);
  if (!want || !is_over) return;
  if (weights != want->weights) report.violation("the same weights", "others at the end of a session");
  train::FitResult saved = result;
  saved.checkpoint_problem.clear();  // is part of the exit status
  saved.signal = 0;                  // came after a guard or early stopping had ended the run
  if (const std::string text = text_of(saved); text != want->result)
    report.violation("the same result: " + want->result, text);
}

std::string contents(const fs::path& directory) {
  std::vector<std::string> all;
  for (const auto& entry : fs::recursive_directory_iterator(directory))
    all.push_back(entry.path().string() + '\0' + (entry.is_regular_file() ? bytes_of(entry.path()) : ""));
  std::ranges::sort(all);
  std::string whole;
  for (const std::string& one : all) whole += one + '\0';
  return whole;
}

Directories::Directories(const Place& place)
    : place_(place), stranger_(contents(place.stranger())), temporaries_(temporaries()) {}

std::set<std::string> Directories::temporaries() const {
  std::set<std::string> names;
  std::error_code none;
  const std::string ours = concat(".tmp-", getpid(), '-');
  for (const auto& entry : fs::recursive_directory_iterator(place_.work(), none))
    if (entry.path().filename().string().find(ours) != std::string::npos) names.insert(entry.path());
  return names;
}

void Directories::check(const Plan& plan, Report& report) const {
  if (contents(place_.stranger()) != stranger_)
    report.violation("a run writes to and deletes from its own directory only", "the directory of a stranger differs");
  if (!plan.has_faults())
    for (const std::string& name : temporaries())
      if (!temporaries_.contains(name)) report.violation("no temporary file is left", name);
  if (plan.has(Trouble::deletion) || report.saved == 0) return;
  const auto run = run_in(place_.work());
  const auto newest = run ? train::CheckpointStore::load_newest(*run) : std::nullopt;
  const std::int64_t sequence = newest ? newest->sequence : 0;
  if (sequence < report.saved)
    report.violation("checkpoint " + std::to_string(report.saved) + " is there and can be read",
                     "the newest one is " + std::to_string(sequence));
}

}  // namespace simulate
