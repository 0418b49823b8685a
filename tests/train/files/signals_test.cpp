#include <csignal>

#include <doctest/doctest.h>

#include <handrail/handrail.h>
#include <handrail/train/files/signals.h>

#include "support/files.h"
#include "support/hash.h"
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
  CHECK(own_calls == 0);
  std::raise(SIGINT);
  CHECK(own_calls == 1);

  // The signal of one run is not that of the next.
  auto next = small_model();
  CHECK(train::Trainer(next, cross_entropy, options_in(dir)).fit(points(400)).reason == train::StopReason::finished);
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
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
  }
  CHECK((handler_of(SIGINT).sa_handler == before));
  CHECK(train::SignalWatch::received() == 0);
}
