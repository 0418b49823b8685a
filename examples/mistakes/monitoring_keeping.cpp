// What is left when training ends, as planned or not: M5 and M6.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <limits>
#include <optional>
#include <string>

#include "monitoring_tasks.h"
#include "pairs_m.h"

namespace gallery {
namespace {

// Every fifth label is drawn at random, as in a set that was labelled in a hurry.
train::TensorDataset mislabelled(const train::TensorDataset& data, Rng& rng) {
  const Tensor targets = data.targets().clone();
  for (Scalar& target : targets.mutable_span())
    if (rng.below(5) == 0) target = static_cast<Scalar>(rng.below(10));
  return {data.inputs(), targets};
}

Outcome run_m5(std::uint64_t seed) {
  constexpr Index epochs = 60, train_rows = 200, steps_per_epoch = 7;
  const Digits data = digits(seed);
  Rng rng({.seed = seed, .stream = Stream::user});
  const train::TensorDataset train_set = mislabelled(first_rows(data.train, train_rows), rng);
  const train::TensorDataset validation = mislabelled(data.test, rng);
  const auto judge = [&](const nn::Sequential& model, double best) {
    const double loss = loss_on(validation, model);
    return Side{.failed = exceeds(loss, 1.3 * best),
                .evidence = concat("validation loss ", text(loss), ", at best ", text(best))};
  };
  Outcome outcome;
  {
    auto model = mlp({64, 128, 10}, seed);
    optim::AdamW optimizer(one_group(model));
    double best = std::numeric_limits<double>::infinity();
    WatchedLoop loop{.epochs = epochs, .seed = seed};
    loop.after_step = [&](std::int64_t step, double) {
      if (step % steps_per_epoch == 0) best = std::min(best, loss_on(validation, model));  // nothing follows from it
      return true;
    };
    loop.run(model, train_set, optimizer, optim::constant(3e-3));
    outcome.wrong = judge(model, best);
  }
  {
    auto model = mlp({64, 128, 10}, seed);
    const auto log = std::make_shared<train::MemorySink>();
    const auto result = train::Trainer{model, cross_entropy, defaults(epochs, seed, log)}.fit(train_set, validation);
    double best = std::numeric_limits<double>::infinity();
    for (const train::EvaluationStats& event : log->evaluations) best = std::min(best, event.evaluation.loss);
    outcome.handrail = judge(model, best);
    outcome.handrail.evidence += concat(", ", result.epochs, " epochs");
  }
  return outcome;
}

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "handrail-gallery-XXXXXX").string();
    if (!mkdtemp(name.data())) fail("gallery: want a directory in ", std::filesystem::temp_directory_path());
    path_ = name;
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

constexpr std::int64_t checkpoint_every = 20, killed_at = 110;  // in the third epoch

// Dropout, so that the random numbers too must go on where they were.
nn::Sequential with_dropout(std::uint64_t seed) {
  Rng rng(seed);
  return nn::Sequential{nn::Linear{64, 32, rng}, nn::ReLU{}, nn::Dropout{0.2}, nn::Linear{32, 10, rng}};
}

// Ends its process as the kernel does when memory is short: no destructor runs, nothing is flushed.
struct Killed : train::Trainer {
  using Trainer::Trainer;
  void on_step_end(const train::StepStats& step) override {
    if (step.step == killed_at) kill(getpid(), SIGKILL);
  }
};

// Runs it in a process of its own. Returns whether it was killed.
template <class Work>
bool killed_in_a_child(Work&& work) {
  const pid_t child = fork();
  if (child == 0) {
    try {
      work();
    } catch (...) {
    }
    _exit(1);
  }
  if (child < 0) fail("gallery: want a process; got ", std::strerror(errno));
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

Outcome run_m6(std::uint64_t seed) {
  constexpr Index epochs = 4;
  const Digits data = digits(seed);
  const auto undisturbed = [&] {
    auto model = with_dropout(seed);
    train::Trainer{model, cross_entropy, defaults(epochs, seed)}.fit(data.train, data.test);
    return train::capture(model);
  }();
  const auto side = [&](const OrOff<train::CheckpointOptions>& checkpoints, const std::filesystem::path& dir) {
    auto options = defaults(epochs, seed);
    options.checkpoints = checkpoints;
    const bool killed = killed_in_a_child([&] {
      auto model = with_dropout(seed);
      Killed{model, cross_entropy, options}.fit(data.train, data.test);
    });
    if (!killed) return Side{.failed = true, .evidence = "the child was not killed"};

    const auto log = std::make_shared<train::MemorySink>();
    options.sinks = {log};
    auto model = with_dropout(seed);
    train::Trainer trainer{model, cross_entropy, options};
    try {
      trainer.resume(dir / "run" / "1", data.train, data.test);
    } catch (const CheckpointError&) {  // there is none: what remains is to begin again
      trainer.fit(data.train, data.test);
    }
    const std::int64_t kept = log->steps.front().step - 1;
    const bool same = same_bits(train::capture(model), undisturbed);
    return Side{.failed = killed_at - kept > checkpoint_every || !same,
                .evidence = concat("killed at ", killed_at, ", goes on from ", kept, ", ends with ",
                                   same ? "the same bits" : "other bits")};
  };
  const TemporaryDirectory without, with;
  return {
      .wrong = side(off, without.path()),
      .handrail = side(train::CheckpointOptions{.dir = with.path(), .name = "run", .every_n_steps = checkpoint_every},
                       with.path())};
}

}  // namespace

Row m5() {
  return {.id = "M5",
          .mistake = "the validation loss is ignored",
          .wrong_way = "60 epochs on 200 digits, of which every fifth has a random label",
          .criterion = "the final weights have more than 1.3 times the lowest validation loss on the way",
          .opt_out = ".validation_split = off",
          .give_up = [](train::TrainerOptions& options) { options.validation_split = train::off; },
          .summary_line = "validation",
          .run = run_m5};
}

Row m6() {
  return {.id = "M6",
          .mistake = "no checkpoints",
          .wrong_way = "the process is killed (SIGKILL) at step 110 of 180, and there is nothing to resume from",
          .criterion = "more than 20 steps are lost, or the end is not bit for bit that of an undisturbed run",
          .opt_out = ".checkpoints = off",
          .give_up = [](train::TrainerOptions& options) { options.checkpoints = train::off; },
          .summary_line = "checkpoints",
          .run = run_m6};
}

}  // namespace gallery
