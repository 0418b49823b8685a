// Kills training runs at random instants, resumes them, and compares how they end with runs that nothing happened to.
// usage: torture [KILLS] [SEED]          100 kills by default; prints a line a scenario, fails when one bit differs
//        torture --run DIR SCENARIO THREADS          one session: resumes what is in DIR, or begins
//
// A kill is SIGKILL, now and then SIGTERM, which a run meets by itself. Sometimes the newest checkpoint is damaged
// before the run goes on. Every session has another number of threads, one to three. What is compared: the last
// checkpoint, that is weights, moments, buffers, counters, guards, best weights; and metrics.csv.
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include <handrail/handrail.h>
#include <handrail/train/checkpoints/checkpoint_store.h>
#include <handrail/train/checkpoints/internal/checkpoint_codec.h>
#include <handrail/train/checkpoints/internal/retention.h>
#include <handrail/train/report/internal/metrics_log.h>

#include "torture/run_directory.h"

using namespace handrail;
namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

namespace {

struct Scenario {
  const char* name;
  bool norm_and_dropout;
  train::TrainerOptions options;
};

std::vector<Scenario> scenarios() {
  using train::with;
  const train::TrainerOptions base{.epochs = 6,
                                   .batch_size = 64,
                                   .lr = 2e-3,
                                   .val_check_interval = 7,
                                   .checkpoints = train::CheckpointOptions{.name = "run", .every_n_steps = 2},
                                   .log_every_n_steps = 3,
                                   .sinks = {}};
  std::vector<Scenario> all{{"AdamW, cosine", false, base},
                            {"AdamW, dropout, batch norm, accumulation", true, base},
                            {"SGD with momentum, linear", true, base},
                            {"Adam, rate by the finder, early stopping", false, base}};
  all[1].options.accumulate_grad_batches = 3;
  all[1].options.checkpoints->every_n_steps = 1;
  all[2].options.optimizer = with<optim::SGD>({.momentum = 0.9, .nesterov = true});
  all[2].options.decay = train::Decay::linear;
  all[2].options.ema_beta = 0.9;
  all[3].options.optimizer = with<optim::Adam>();
  all[3].options.lr = train::automatic;
  all[3].options.patience = 6;
  all[3].options.improvement = train::Improvement::plain;
  return all;
}

// Large enough for kernels to use several threads.
nn::Sequential model_of(const Scenario& scenario) {
  Rng rng(3);
  nn::Sequential model{nn::Linear{64, 160, rng}};
  if (scenario.norm_and_dropout) model.push_back(nn::BatchNorm1d{160});
  model.push_back(nn::ReLU{});
  if (scenario.norm_and_dropout) model.push_back(nn::Dropout{0.2});
  model.push_back(nn::Linear{160, 128, rng});
  model.push_back(nn::Tanh{});
  model.push_back(nn::Linear{128, 10, rng});
  return model;
}

train::TensorDataset data() {
  constexpr Index count = 700;
  Rng rng(5);
  const Tensor inputs = normal({count, 64}, 0, 1, rng), targets(Shape{count});
  for (Scalar& target : targets.mutable_span()) target = static_cast<Scalar>(rng.below(10));
  return {inputs, targets};
}

int session(const fs::path& dir, std::size_t number, int threads) {
  set_num_threads(threads);
  Scenario scenario = scenarios().at(number);
  scenario.options.checkpoints->dir = dir;
  auto model = model_of(scenario);
  train::Trainer trainer(model, cross_entropy, scenario.options);
  const auto run = run_in(dir);
  return (run ? trainer.resume(*run, data()) : trainer.fit(data())).exit_status();
}

// All that a run has left.
struct End {
  std::vector<std::string> state;
  std::string metrics;
  bool operator==(const End&) const = default;
};

End end_of(const fs::path& dir) {
  const fs::path run = run_in(dir).value();
  auto state = train::CheckpointStore::load_newest(run)->state;
  state.progress.seconds = 0;
  End end{.state = {}, .metrics = bytes_of(run / train::MetricsLog::file_name)};
  for (auto& section : train::encode(state)) end.state.push_back(std::move(section.bytes));
  return end;
}

pid_t start(const fs::path& self, const fs::path& dir, std::size_t scenario, int threads) {
  std::vector<std::string> words{self, "--run", dir, std::to_string(scenario), std::to_string(threads)};
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  pid_t child = 0;
  if (posix_spawn(&child, self.c_str(), nullptr, nullptr, arguments.data(), environ) != 0) std::abort();
  return child;
}

// The exit status as shells have it.
int wait_for(pid_t child) {
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

// As a bad disk or a power cut would: a byte changed, or the end lost.
void damage_newest(const fs::path& dir, Rng& rng) {
  const auto run = run_in(dir);
  const auto files = run ? train::list_checkpoints(*run) : std::vector<train::CheckpointFile>{};
  if (files.size() < 2) return;
  std::string bytes = bytes_of(files.back().path);
  if (bytes.empty()) return;
  const auto at = static_cast<std::size_t>(rng.below(bytes.size()));
  if (rng.below(2) == 0)
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << rng.below(8)));
  else
    bytes.resize(at);
  std::ofstream(files.back().path, std::ios::binary | std::ios::trunc) << bytes;
}

struct Tally {
  int kills = 0, terms = 0, damaged = 0, runs = 0, different = 0;
};

// Whole runs, killed again and again, until there were so many kills.
Tally torture(const fs::path& self, const fs::path& scratch, std::size_t scenario, int kills, Rng& rng) {
  const fs::path quiet = scratch / "quiet";
  const auto begin = Clock::now();
  if (const int status = wait_for(start(self, quiet, scenario, 1)); status != 0) {
    std::fprintf(stderr, "torture: a run that nothing happened to ended with status %d\n", status);
    std::exit(1);
  }
  const std::chrono::duration<double> whole = Clock::now() - begin;
  const End want = end_of(quiet);

  Tally tally;
  while (tally.kills < kills) {
    const fs::path dir = scratch / "tortured";
    for (int session = 0;; ++session) {
      const pid_t child = start(self, dir, scenario, 1 + static_cast<int>(rng.below(3)));
      // The more sessions, the longer they get, so that every run ends some day.
      std::this_thread::sleep_for(whole * (rng.uniform() * (0.6 + 0.1 * session)));
      const int signal = rng.below(6) == 0 ? SIGTERM : SIGKILL;
      kill(child, signal);  // when it has ended: to a process that waits for wait_for
      const int status = wait_for(child);
      if (status == 0) break;
      if (status != 128 + signal) {
        std::fprintf(stderr, "torture: a session ended with status %d; its directory is %s\n", status, dir.c_str());
        std::exit(1);
      }
      ++(signal == SIGKILL ? tally.kills : tally.terms);
      if (rng.below(8) == 0) {
        damage_newest(dir, rng);
        ++tally.damaged;
      }
    }
    ++tally.runs;
    if (end_of(dir) != want) {
      ++tally.different;
      std::fprintf(stderr, "torture: a run ended with other bits; its directory is %s\n", dir.c_str());
      fs::rename(dir, scratch / ("different-" + std::to_string(scenario) + '-' + std::to_string(tally.runs)));
    }
    fs::remove_all(dir);
  }
  return tally;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc == 5 && std::string(argv[1]) == "--run")
    return session(argv[2], static_cast<std::size_t>(std::atoi(argv[3])), std::atoi(argv[4]));
  const int kills = argc > 1 ? std::atoi(argv[1]) : 100;
  if (argc > 3 || kills < 1) {
    std::fprintf(stderr, "usage: torture [KILLS] [SEED]\n");
    return 2;
  }
  Rng rng(StreamKey{.seed = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1, .stream = Stream::user});
  const fs::path scratch = fs::temp_directory_path() / ("handrail-torture-" + std::to_string(getpid()));
  const auto all = scenarios();
  int different = 0, done = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    fs::create_directories(scratch);
    const int share = (kills - done) / static_cast<int>(all.size() - i);
    const Tally t = torture(fs::read_symlink("/proc/self/exe"), scratch, i, share, rng);
    done += t.kills;
    different += t.different;
    std::printf("%-42s %5d kills, %4d terminations, %4d damaged files: %d of %d runs with the same bits\n", all[i].name,
                t.kills, t.terms, t.damaged, t.runs - t.different, t.runs);
    std::fflush(stdout);
    if (t.different == 0) fs::remove_all(scratch);
  }
  return different == 0 ? 0 : 1;
} catch (const std::exception& error) {
  std::fprintf(stderr, "torture: %s\n", error.what());
  return 1;
}
