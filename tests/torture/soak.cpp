// Millions of tiny steps with log and checkpoints: memory, open files and the directory of the run must not grow.
// usage: soak [STEPS]          2,000,000 by default
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <handrail/handrail.h>

using namespace handrail;
namespace fs = std::filesystem;

namespace {

std::int64_t entries(const fs::path& directory) {
  return std::distance(fs::directory_iterator(directory), fs::directory_iterator());
}

struct Usage {
  std::int64_t kilobytes, open_files, files;
};

Usage usage(const fs::path& run_dir) {
  std::int64_t pages = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident;
  return {resident * sysconf(_SC_PAGESIZE) / 1024, entries("/proc/self/fd"), entries(run_dir)};
}

class Soaked : public train::Trainer {
 public:
  Soaked(nn::Layer& model, train::TrainerOptions options, std::int64_t steps)
      : Trainer(model, binary_cross_entropy_with_logits, std::move(options)), steps_(steps) {}
  bool grew = false;

 protected:
  void on_checkpoint(const fs::path& path) override { run_dir_ = path.parent_path(); }
  void on_step_end(const train::StepStats& stats) override {
    if (stats.step % (steps_ / 20) == 0 && !run_dir_.empty()) look(stats.step);
    if (stats.step >= steps_) stop();
  }

 private:
  void look(std::int64_t step) {
    const Usage now = usage(run_dir_);
    std::printf("%9lld steps  %7lld kB resident  %3lld open files  %3lld files in the directory\n",
                static_cast<long long>(step), static_cast<long long>(now.kilobytes),
                static_cast<long long>(now.open_files), static_cast<long long>(now.files));
    std::fflush(stdout);
    if (step < steps_ / 4) return;  // warmup
    if (first_.kilobytes == 0) first_ = now;
    constexpr std::int64_t slack = 512;                 // kB
    constexpr std::int64_t most_files = 5 + 1 + 1 + 1;  // the last five, the best, the lock, the log
    grew |= now.kilobytes > first_.kilobytes + slack || now.open_files != first_.open_files || now.files > most_files;
  }

  std::int64_t steps_;
  fs::path run_dir_;
  Usage first_{};
};

}  // namespace

int main(int argc, char** argv) try {
  const std::int64_t steps = argc > 1 ? std::atoll(argv[1]) : 2'000'000;
  if (argc > 2 || steps < 1000) {
    std::fprintf(stderr, "usage: soak [STEPS], at least 1000\n");
    return 2;
  }
  constexpr Index count = 4096;
  Rng rng(1);
  const Tensor inputs = normal({count, 2}, 0, 1, rng), targets(Shape{count, 1});
  for (Scalar& target : targets.mutable_span()) target = static_cast<Scalar>(rng.below(2));
  const train::TensorDataset data(inputs, targets);
  nn::Sequential model{nn::Linear{2, 16, rng}, nn::ReLU{}, nn::Linear{16, 16, rng}, nn::ReLU{}, nn::Linear{16, 1, rng}};

  const fs::path runs = fs::temp_directory_path() / ("handrail-soak-" + std::to_string(getpid()));
  const train::TrainerOptions options{
      .epochs = 1'000'000,
      .lr = 1e-3,
      .patience = train::off,
      .checkpoints = train::CheckpointOptions{.dir = runs, .name = "soak", .every_n_steps = steps / 200},
      .sinks = {}};
  Soaked trainer(model, options, steps);
  const auto result = trainer.fit(data);
  const auto log = fs::file_size(fs::path(result.run_dir) / "metrics.csv");
  std::printf("%lld steps in %.1f s, metrics.csv %lld kB: %s\n", static_cast<long long>(result.steps), result.seconds,
              static_cast<long long>(log / 1024), trainer.grew ? "something GREW" : "nothing grew");
  fs::remove_all(runs);
  return trainer.grew ? 1 : 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "soak: %s\n", error.what());
  return 1;
}
