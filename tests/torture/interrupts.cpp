// Interrupts runs at random instants, the checks and the LR finder included, and measures how soon they answer.
//   interrupts [COUNT] [WIDTH]     784-WIDTH-WIDTH-10 in batches of 512
// Within a step and 0.2 s a run must have stopped: it is over, or says that it saves its checkpoint, whose bytes the
// disk takes its time for. It ends with status 130, and either can be resumed or has left nothing behind. Its first
// line must come within 0.5 s.

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include <handrail/handrail.h>

using namespace handrail;
using Clock = std::chrono::steady_clock;

namespace {

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

train::TensorDataset make_data() {
  constexpr Index rows = 6000, classes = 10;
  Rng rng(1);
  const Tensor inputs = normal({rows, 784}, 0, 1, rng), targets(Shape{rows});
  for (Index i = 0; i < rows; ++i) {
    targets.mutable_data()[i] = static_cast<Scalar>(i % classes);
    inputs.mutable_data()[784 * i + i % classes] += 3;
  }
  return {inputs, targets};
}

nn::Sequential make_model(Index width) {
  Rng rng(2);
  return nn::Sequential{nn::Linear{784, width, rng}, nn::ReLU{}, nn::Linear{width, width, rng}, nn::ReLU{},
                        nn::Linear{width, 10, rng}};
}

train::TrainerOptions options_in(const std::filesystem::path& runs) {
  return {.epochs = 3,
          .batch_size = 512,
          .checkpoints = train::CheckpointOptions{.dir = runs, .name = "run", .every_n_steps = 10}};
}

// Says on standard output that the run has stopped.
struct Stopping : train::LogSink {
  void activity(const train::Activity& event) override {
    if (event.what != std::string_view(train::stopping_activity)) return;
    std::puts(event.what);
    std::fflush(stdout);
  }
};

struct Child {
  pid_t pid;
  int output;  // of its standard output
  Clock::time_point start;
};

// A process that trains, and writes what a person would see to the pipe.
Child start(const train::TensorDataset& data, Index width, const std::filesystem::path& runs) {
  int ends[2];
  if (pipe(ends) != 0) std::exit(2);
  std::fflush(stdout);
  const auto now = Clock::now();
  const pid_t pid = fork();
  if (pid != 0) {
    close(ends[1]);
    return {pid, ends[0], now};
  }
  dup2(ends[1], STDOUT_FILENO);
  close(ends[0]);
  close(ends[1]);
  int status = 2;
  try {
    auto model = make_model(width);
    auto options = options_in(runs);
    options.sinks.push_back(std::make_shared<Stopping>());
    status = train::Trainer(model, cross_entropy, options).fit(data).exit_status();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "interrupts: %s\n", error.what());
  }
  std::fflush(stdout);
  _exit(status);
}

// Waits for the child, emptying its pipe; its status, or -1 after the time limit. `stopped`: when it said that it has
// stopped, or was over.
int wait_for(Child& child, double limit, double* stopped = nullptr) {
  const auto start = Clock::now();
  int status = 0;
  std::string text;
  bool said = false;
  while (waitpid(child.pid, &status, WNOHANG) == 0) {
    pollfd ready{child.output, POLLIN, 0};
    char bytes[4096];
    if (::poll(&ready, 1, 1) > 0) {
      const ssize_t got = read(child.output, bytes, sizeof bytes);
      if (got <= 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      if (got > 0) text.append(bytes, static_cast<std::size_t>(got));
      if (stopped && !said && text.find(train::stopping_activity) != std::string::npos) {
        said = true;
        *stopped = seconds_since(start);
      }
    }
    if (seconds_since(start) > limit) {
      kill(child.pid, SIGKILL);
      waitpid(child.pid, &status, 0);
      status = -1;
      break;
    }
  }
  if (stopped && !said) *stopped = seconds_since(start);
  close(child.output);
  return status < 0 ? -1 : WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

double seconds_to_first_line(const Child& child) {
  char byte = 0;
  while (read(child.output, &byte, 1) == 1)
    if (byte == '\n') break;
  return seconds_since(child.start);
}

// How long a step takes, of a few on the side.
double seconds_per_step(const train::TensorDataset& data, Index width) {
  struct Timed : train::Trainer {
    using Trainer::Trainer;
    std::vector<double> at;
    Clock::time_point start = Clock::now();
    void on_step_end(const train::StepStats&) override { at.push_back(seconds_since(start)); }
  };
  auto model = make_model(width);
  Timed trainer(model, cross_entropy,
                {.epochs = 1,
                 .batch_size = 512,
                 .lr = 1e-3,
                 .checks = {.overfit_batch = train::off},
                 .checkpoints = train::off,
                 .metrics_csv = train::off,
                 .sinks = {}});
  trainer.fit(data);
  std::vector<double> steps;
  for (std::size_t i = 1; i < trainer.at.size(); ++i) steps.push_back(trainer.at[i] - trainer.at[i - 1]);
  std::ranges::sort(steps);
  return steps[steps.size() / 2];
}

// Whether the run can be resumed; one of which nothing is left counts too. `left` says which.
bool is_sound(const train::TensorDataset& data, Index width, const std::filesystem::path& runs, const char*& left) {
  const auto run = runs / "run" / "1";
  if (!std::filesystem::exists(run)) {
    left = "nothing";
    return true;
  }
  left = "a checkpoint";
  struct OneStep : train::Trainer {
    using Trainer::Trainer;
    void on_step_end(const train::StepStats&) override { stop(); }
  };
  auto model = make_model(width);
  auto options = options_in(runs);
  options.sinks = {};
  const auto result = OneStep(model, cross_entropy, options).resume(run, data);
  return result.reason == train::StopReason::requested || result.reason == train::StopReason::finished;
}

}  // namespace

int main(int count, char** arguments) {
  const int instants = count > 1 ? std::atoi(arguments[1]) : 50;
  const Index width = count > 2 ? std::atoi(arguments[2]) : 2048;
  if (instants < 1 || width < 1) {
    std::fprintf(stderr, "usage: interrupts [COUNT] [WIDTH]\n");
    return 2;
  }
  std::string root = (std::filesystem::temp_directory_path() / "handrail-XXXXXX").string();
  if (mkdtemp(root.data()) == nullptr) return 2;
  set_num_threads(1);  // a child of a process with threads has none of them
  const auto data = make_data();

  const double step = seconds_per_step(data, width), limit = step + 0.2;
  Child whole = start(data, width, root);
  const double first_line = seconds_to_first_line(whole);
  const int status = wait_for(whole, 3600);
  const double length = seconds_since(whole.start);
  std::printf("784-%td-%td-10, batches of 512: a step %.3f s, first line %.3f s, whole run %.1f s, status %d\n", width,
              width, step, first_line, length, status);
  int failures = (first_line > 0.5) + (status != 0);

  Rng rng(3);
  double worst = 0;
  for (int i = 0; i < instants; ++i) {
    std::filesystem::remove_all(std::filesystem::path(root) / "run");
    const double when = first_line + rng.uniform() * (length - first_line) * 0.98;
    Child child = start(data, width, root);
    const double first = seconds_to_first_line(child);
    std::this_thread::sleep_for(std::chrono::duration<double>(std::max(0.0, when - first)));
    kill(child.pid, SIGINT);
    const auto sent = Clock::now();
    double answer = 0;
    const int ended = wait_for(child, 60, &answer);
    const double end = seconds_since(sent);
    worst = std::max(worst, answer);
    const char* left = "";
    const bool sound = ended == 0 || is_sound(data, width, root, left);  // one that had just finished is over
    const bool good = first <= 0.5 && (ended == 0 || (ended == 130 && answer <= limit && sound));
    failures += !good;
    std::printf("at %6.2f s: stopped after %.3f s, ended with status %d after %.3f s, %s left%s\n", when, answer, ended,
                end, left, good ? "" : "  FAILED");
    std::fflush(stdout);
  }
  std::filesystem::remove_all(root);
  std::printf("%d instants, worst answer %.3f s of %.3f s, %d failures\n", instants, worst, limit, failures);
  return failures == 0 ? 0 : 1;
}
