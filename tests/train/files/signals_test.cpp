#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <memory>
#include <stdexcept>

#include <doctest/doctest.h>

#include <handrail/handrail.h>
#include <handrail/train/files/signals.h>

#include "support/files.h"
#include "support/hash.h"
#include "support/sanitized.h"
#include "support/tasks.h"

using namespace handrail;
using train::TrainerOptions;

namespace {

struct sigaction handler_of(int signal) {
  struct sigaction action {};
  sigaction(signal, nullptr, &action);
  return action;
}

volatile std::sig_atomic_t own_calls = 0;
void own_handler(int) { own_calls = own_calls + 1; }

TrainerOptions options_in(const TempDir& dir) {
  return {
      .epochs = 4, .lr = 0.05, .checkpoints = train::CheckpointOptions{.dir = dir.path(), .name = "run"}, .sinks = {}};
}

// Whether these steps end the process by this signal.
template <class Steps>
bool dies_of(int signal, Steps&& steps) {
  const pid_t pid = fork();
  if (pid == 0) {
    for (const int own : {SIGINT, SIGTERM}) std::signal(own, SIG_DFL);  // doctest has handlers
    steps();
    _exit(0);
  }
  int status = 0;
  REQUIRE(waitpid(pid, &status, 0) == pid);
  return WIFSIGNALED(status) && WTERMSIG(status) == signal;
}

// Samples of a data set and batches of a trainer that count what is read and trained on, and raise a signal once.
struct Work {
  int raise_at;
  bool preparing = false, raised = false;
  int done = 0, after = 0;  // pieces of the preparations, and those after the signal
  void piece() {
    if (!preparing) return;
    if (raised) ++after;
    if (++done != raise_at) return;
    raised = true;
    std::raise(SIGTERM);
  }
};
struct WorkingData : train::TensorDataset {
  WorkingData(const train::TensorDataset& data, Work& counted) : TensorDataset(data), work(counted) {}
  void gather(std::span<const Index> rows, const train::Batch& batch) const override {
    work.piece();
    TensorDataset::gather(rows, batch);
  }
  Work& work;
};
struct WorkingTrainer : Hooked {
  WorkingTrainer(nn::Layer& model, train::Loss loss, TrainerOptions options, Work& counted)
      : Hooked(model, std::move(loss), std::move(options)), work(counted) {}
  train::StepOutput training_step(const train::Batch& batch) override {
    work.piece();
    return Hooked::training_step(batch);
  }
  Work& work;
};

}  // namespace

TEST_CASE("SIGINT and SIGTERM end a run after the step, and it resumes from its checkpoint bit for bit") {
  for (const int signal : {SIGINT, SIGTERM}) {
    const TempDir dir;
    auto whole = small_model();
    train::Trainer(whole, cross_entropy, options_in(dir)).fit(points(400));

    auto model = small_model();
    Hooked trainer(model, cross_entropy, options_in(dir));
    trainer.step_end = [&](const train::StepStats& stats) {
      if (stats.step == 17) std::raise(signal);
    };
    const auto result = trainer.fit(points(400));
    CHECK(result.reason == train::StopReason::interrupted);
    CHECK(result.signal == signal);
    CHECK(result.exit_status() == 128 + signal);
    CHECK(result.steps == 17);
    CHECK(result.seconds > 0);
    CHECK(train::load_checkpoint(dir.path() / "run" / "2" / "checkpoint-000001.hrc").progress.seconds >= 0);
    CHECK(train::load_checkpoint(result.checkpoint).progress.step == 17);

    auto resumed = small_model();
    train::Trainer again(resumed, cross_entropy, options_in(dir));
    CHECK(again.resume(result.run_dir, points(400)).exit_status() == 0);
    CHECK(hash_of(resumed) == hash_of(whole));
  }
}

TEST_CASE("the second signal has the default action, and the previous handlers are back after the run") {
  std::signal(SIGINT, own_handler);
  std::signal(SIGTERM, SIG_IGN);
  const TempDir dir;
  auto model = small_model();
  Hooked trainer(model, cross_entropy, options_in(dir));
  trainer.step_end = [&](const train::StepStats& stats) {
    if (stats.step == 3) {
      CHECK((handler_of(SIGINT).sa_handler != SIG_DFL));
      CHECK((handler_of(SIGTERM).sa_handler == SIG_IGN));
      CHECK((handler_of(SIGPIPE).sa_handler == SIG_IGN));
      CHECK((handler_of(SIGXFSZ).sa_handler == SIG_IGN));
      std::raise(SIGTERM);  // ignored as before
    }
    if (stats.step == 5) {
      std::raise(SIGINT);
      CHECK((handler_of(SIGINT).sa_handler == SIG_DFL));
    }
  };
  const auto result = trainer.fit(points(400));
  CHECK(result.steps == 5);
  CHECK(result.signal == SIGINT);
  CHECK((handler_of(SIGINT).sa_handler == own_handler));
  CHECK((handler_of(SIGTERM).sa_handler == SIG_IGN));
  CHECK((handler_of(SIGPIPE).sa_handler == SIG_DFL));
  CHECK((handler_of(SIGXFSZ).sa_handler == SIG_DFL));
  CHECK(own_calls == 0);
  std::raise(SIGINT);
  CHECK(own_calls == 1);

  // The signal of one run is not that of the next.
  auto next = small_model();
  CHECK(train::Trainer(next, cross_entropy, options_in(dir)).fit(points(400)).reason == train::StopReason::finished);
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
}

TEST_CASE("an ignored signal stays ignored after another one has come") {
  std::signal(SIGINT, SIG_IGN);  // as under nohup, or in the background of a shell
  {
    const train::SignalWatch watch;
    std::raise(SIGTERM);
    CHECK((handler_of(SIGINT).sa_handler == SIG_IGN));
    CHECK((handler_of(SIGTERM).sa_handler == SIG_DFL));
    train::SignalWatch::answer();
  }
  std::signal(SIGINT, SIG_DFL);
}

TEST_CASE("an answer is void when an exception keeps it from the caller") {
  std::signal(SIGTERM, own_handler);
  own_calls = 0;
  const auto answer_then_throw = [] {
    const train::SignalWatch outer;
    try {
      const train::SignalWatch inner;
      std::raise(SIGTERM);
      train::SignalWatch::answer();
      throw std::runtime_error("of the user");
    } catch (const std::runtime_error&) {
    }
    CHECK(own_calls == 0);  // the outer watch goes on
  };
  answer_then_throw();
  CHECK(own_calls == 1);
  std::signal(SIGTERM, SIG_DFL);
}

TEST_CASE("a signal that nobody answers is sent again when the previous handlers are back") {
  if (thread_sanitizer) return;
  CHECK(dies_of(SIGTERM, [] {
    const train::SignalWatch watch;
    std::raise(SIGTERM);
  }));
  // So does a signal of a run that ends by an exception, whose result nobody gets.
  CHECK(dies_of(SIGINT, [] {
    auto model = small_model();
    Hooked trainer(model, cross_entropy, bare({.epochs = 1, .lr = 0.05}));
    trainer.step_end = [](const train::StepStats&) {
      std::raise(SIGINT);
      throw std::runtime_error("a hook");
    };
    try {
      trainer.fit(points(400));
    } catch (const std::runtime_error&) {
    }
  }));
}

TEST_CASE("a signal while the run ends is in its result") {
  struct Raising : train::LogSink {
    void fit_end(const train::FitEnd&) override { std::raise(SIGTERM); }
  };
  const auto before = handler_of(SIGTERM).sa_handler;
  for (const bool in_sink : {true, false}) {
    auto model = small_model();
    TrainerOptions options = bare({.epochs = 1, .lr = 0.05});
    if (in_sink) options.sinks = {std::make_shared<Raising>()};
    Hooked trainer(model, cross_entropy, options);
    if (!in_sink) trainer.fit_end = [](const train::FitResult&) { std::raise(SIGTERM); };
    const auto result = trainer.fit(points(400));
    CHECK(result.reason == train::StopReason::interrupted);
    CHECK(result.exit_status() == 128 + SIGTERM);
    CHECK(result.epochs == 1);
    CHECK((handler_of(SIGTERM).sa_handler == before));
  }
}

TEST_CASE("a signal ends every phase before the first step within a few batches") {
  const auto classes = points(400);
  const train::TensorDataset constant(classes.inputs(), Tensor::full({400, 2}, 1));
  for (const bool varies : {true, false}) {
    int raised = 0;
    for (int raise_at = 1;; raise_at += 5) {
      Work work{.raise_at = raise_at};
      const WorkingData data(varies ? classes : constant, work);
      auto model = small_model();
      TrainerOptions options = quiet({.epochs = 3, .batch_size = 8, .accumulate_grad_batches = 20});
      options.checks.overfit_batch = varies;
      WorkingTrainer trainer(model, varies ? train::Loss(cross_entropy) : train::Loss(mse_loss), options, work);
      trainer.fit_start = [&] { work.preparing = true; };
      trainer.epoch_start = [&](Index) { work.preparing = false; };
      const auto result = trainer.fit(data);
      if (!work.raised) break;
      ++raised;
      CHECK(result.reason == train::StopReason::interrupted);
      CHECK(result.signal == SIGTERM);
      CHECK_MESSAGE(work.after <= 6, "after a signal in piece ", raise_at);
    }
    CHECK(raised > 10);
  }
}

TEST_CASE("with handle_signals off the program handles its signals itself") {
  std::signal(SIGINT, own_handler);
  const auto before = own_calls;
  const TempDir dir;
  auto model = small_model();
  auto options = options_in(dir);
  options.handle_signals = false;
  Hooked trainer(model, cross_entropy, options);
  trainer.step_end = [&](const train::StepStats& stats) {
    if (stats.step == 3) std::raise(SIGINT);
  };
  CHECK(trainer.fit(points(400)).reason == train::StopReason::finished);
  CHECK(own_calls == before + 1);
  std::signal(SIGINT, SIG_DFL);
}

TEST_CASE("watches may be nested: the last one puts the handlers back") {
  const auto before = handler_of(SIGINT).sa_handler;
  {
    const train::SignalWatch outer;
    { const train::SignalWatch inner; }
    CHECK((handler_of(SIGINT).sa_handler != before));
    std::raise(SIGINT);
    CHECK(train::SignalWatch::received() == SIGINT);
    train::SignalWatch::answer();
  }
  CHECK((handler_of(SIGINT).sa_handler == before));
  CHECK(train::SignalWatch::received() == 0);
}
