#include "outcome.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <map>

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

namespace faulty_runs {
namespace {

using Clock = std::chrono::steady_clock;

bool is_cause(const train::Anomaly& anomaly) { return anomaly.rank < train::Rank::outcome; }
bool is_warning(const train::Anomaly& anomaly) { return anomaly.severity == train::Severity::warning; }

// Writing and reading an Outcome as bytes; the visitor sees every field once.
template <class Self, class Visit>
void fields(Self& outcome, Visit&& visit) {
  visit(outcome.end);
  visit(outcome.error);
  visit(outcome.text);
  visit(outcome.credits);
  visit(outcome.score);
  visit(outcome.reported);
  visit(outcome.validation_rows);
  visit(outcome.further_fits);
  visit(outcome.kept);
  visit(outcome.attempts);
}

struct Writer {
  std::string bytes;
  template <class T>
  requires std::is_trivially_copyable_v<T>
  void operator()(const T& value) { bytes.append(reinterpret_cast<const char*>(&value), sizeof value); }
  template <class T>
  requires(!std::is_trivially_copyable_v<T>) void operator()(const T& list) {
    (*this)(list.size());
    for (const auto& value : list) (*this)(value);
  }
};

struct Reader {
  const std::string& bytes;
  std::size_t at = 0;
  bool short_of_bytes = false;
  template <class T>
  requires std::is_trivially_copyable_v<T>
  void operator()(T& value) {
    if (bytes.size() - at < sizeof value) {
      short_of_bytes = true;
      return;
    }
    std::memcpy(static_cast<void*>(&value), bytes.data() + at, sizeof value);
    at += sizeof value;
  }
  template <class T>
  requires(!std::is_trivially_copyable_v<T>) void operator()(T& list) {
    std::size_t size = 0;
    (*this)(size);
    if (short_of_bytes || size > bytes.size()) {
      short_of_bytes = true;
      return;
    }
    list.resize(size);
    for (auto& value : list) (*this)(value);
  }
};

std::string pack(const Outcome& outcome) {
  Writer write;
  fields(outcome, write);
  write(outcome.diagnosis.size());
  for (const Finding& finding : outcome.diagnosis) {
    write(finding.name);
    write(finding.is_cause);
    write(finding.is_warning);
  }
  return write.bytes;
}

bool unpack(const std::string& bytes, Outcome& outcome) {
  Reader read{bytes};
  fields(outcome, read);
  std::size_t count = 0;
  read(count);
  for (; count > 0 && !read.short_of_bytes; --count) {
    Finding& finding = outcome.diagnosis.emplace_back();
    read(finding.name);
    read(finding.is_cause);
    read(finding.is_warning);
  }
  return !read.short_of_bytes && read.at == bytes.size();
}

struct Child {
  std::size_t job;
  pid_t pid;
  Clock::time_point deadline;
  std::string bytes = {};
};

[[noreturn]] void work(const Job& job, int out) {
  try {
    set_num_threads(1);
    const std::string bytes = pack(run_here(job));
    for (std::size_t at = 0; at < bytes.size();) {
      const ssize_t written = write(out, bytes.data() + at, bytes.size() - at);
      if (written <= 0) _exit(1);
      at += static_cast<std::size_t>(written);
    }
    _exit(0);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "faulty_runs: %s\n", error.what());
    _exit(1);
  }
}

std::pair<int, Child> start(const Job& job, std::size_t number, double limit_seconds) {
  int ends[2];
  if (pipe(ends) != 0) throw std::runtime_error("pipe failed");
  std::fflush(nullptr);
  const pid_t pid = fork();
  if (pid < 0) throw std::runtime_error("fork failed");
  if (pid == 0) {
    close(ends[0]);
    work(job, ends[1]);
  }
  close(ends[1]);
  const auto limit = std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(limit_seconds));
  return {ends[0], {.job = number, .pid = pid, .deadline = Clock::now() + limit}};
}

Outcome finish(const Child& child) {
  int status = 0;
  waitpid(child.pid, &status, 0);
  Outcome outcome;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && unpack(child.bytes, outcome)) return outcome;
  outcome = {};
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) outcome.end = End::timed_out;
  outcome.error = WIFSIGNALED(status) ? "signal " + std::to_string(WTERMSIG(status)) : "an exception, see above";
  return outcome;
}

}  // namespace

const Finding* first_warning(const Outcome& outcome) {
  const auto it = std::ranges::find_if(outcome.diagnosis, &Finding::is_warning);
  return it == outcome.diagnosis.end() ? nullptr : &*it;
}

Outcome run_here(const Job& job) {
  Outcome outcome;
  try {
    Ran ran = run(job());
    outcome = {.end = End::trained,
               .text = std::move(ran.text),
               .credits = std::move(ran.credits),
               .score = ran.score,
               .reported = ran.reported,
               .validation_rows = ran.validation_rows,
               .further_fits = ran.further_fits,
               .kept = std::move(ran.kept),
               .attempts = std::move(ran.attempts)};
    for (const train::Anomaly& anomaly : ran.diagnosis)
      outcome.diagnosis.push_back({anomaly.name, is_cause(anomaly), is_warning(anomaly)});
  } catch (const Error& error) {
    outcome.end = End::refused;
    outcome.error = error.what();
  }
  return outcome;
}

std::vector<Outcome> run_apart(const std::vector<Job>& jobs, int processes, double limit_seconds) {
  std::vector<Outcome> outcomes(jobs.size());
  std::map<int, Child> children;  // by the end of the pipe that is read
  std::size_t next = 0, done = 0;
  auto told = Clock::now();
  while (next < jobs.size() || !children.empty()) {
    while (next < jobs.size() && std::ssize(children) < processes) {
      children.insert(start(jobs[next], next, limit_seconds));
      ++next;
    }
    std::vector<pollfd> waiting;
    for (const auto& [end, child] : children) waiting.push_back({.fd = end, .events = POLLIN, .revents = 0});
    poll(waiting.data(), waiting.size(), 1000);
    for (const pollfd& ready : waiting) {
      Child& child = children.at(ready.fd);
      char buffer[65536];
      const ssize_t got = ready.revents == 0 ? -1 : read(ready.fd, buffer, sizeof buffer);
      if (got > 0) child.bytes.append(buffer, static_cast<std::size_t>(got));
      if (got < 0 && Clock::now() > child.deadline) kill(child.pid, SIGKILL);
      if (got != 0) continue;
      outcomes[child.job] = finish(child);
      close(ready.fd);
      children.erase(ready.fd);
      ++done;
    }
    if (Clock::now() - told > std::chrono::seconds(20)) {
      told = Clock::now();
      std::fprintf(stderr, "%zu of %zu runs\n", done, jobs.size());
    }
  }
  return outcomes;
}

}  // namespace faulty_runs
