// How cost grows with the data: T4 through the Trainer on 1e3 to 1e7 images of bytes, whole epochs of them, and
// chains of up to 1,000 layers. usage: scaling [LARGEST_POWER_OF_TEN] [THREADS]
#include <sys/resource.h>

#include <cstdio>
#include <fstream>

#include <handrail/train/math/robust.h>

#include "model.h"
#include "workload.h"

using namespace handrail;

namespace {

double resident_megabytes() {
  long pages = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident;
  return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE)) * 1e-6;
}

train::ByteDataset images(Index count) {
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(count) * 784), labels(static_cast<std::size_t>(count));
  std::uint64_t state = 88172645463325252ULL;  // xorshift, Marsaglia 2003: quick is enough here
  const auto fill = [&state](std::uint8_t& byte, unsigned below) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    byte = static_cast<std::uint8_t>((state >> 32) % below);
  };
  for (std::uint8_t& pixel : pixels) fill(pixel, 256);
  for (std::uint8_t& label : labels) fill(label, 10);
  return {Shape{784}, std::move(pixels), std::move(labels)};
}

void samples(Index count) {
  const auto data = images(count);
  const double before = resident_megabytes();
  const bench::Workload w = bench::workload("T4");
  nn::Sequential model = bench::mlp(w.widths);
  constexpr Index least = 200'000;  // samples to measure
  const Index epochs = std::max<Index>(1, least / count);
  struct Timed : train::Trainer {
    using Trainer::Trainer;
    double start = 0;
    void on_epoch_start(Index) override {
      if (start == 0) start = bench::now();
    }
  };
  Timed trainer(model, cross_entropy,
                {.epochs = epochs,
                 .batch_size = w.batch,
                 .lr = 1e-3,
                 .validation_split = train::off,
                 .guards = {.divergence = false, .labels = false},
                 .checkpoints = train::off,
                 .metrics_csv = train::off,
                 .sinks = {}});
  const double begin = bench::now();
  const auto result = trainer.fit(data);
  const double end = bench::now();
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  std::printf("| %td | %.2f | %.2f | %.0f | %.0f | %.0f |\n", count,
              (end - trainer.start) / static_cast<double>(count * result.epochs) * 1e6, trainer.start - begin,
              static_cast<double>(count) * 785 * 1e-6, before, static_cast<double>(usage.ru_maxrss) * 1024e-6);
  std::fflush(stdout);
}

void chain(long layers) {
  std::vector<long> widths(static_cast<std::size_t>(layers) + 1, 16);
  const nn::Sequential model = bench::mlp(widths);
  Rng rng(1);
  const Tensor x = normal({32, 16}, 0, 1, rng), y = Tensor::zeros({32, 16});
  optim::AdamW optimizer(optim::decay_groups(model.parameters(), 0.01));
  std::vector<double> times;
  for (int step = 0; step < 50; ++step) {
    const double start = bench::now();
    optimizer.zero_grad();
    Tape tape;
    tape.backward(mse_loss(model(x), y));
    optimizer.step(1e-3, optim::clip_scale(optimizer.grad_norm(), 1.0));
    times.push_back((bench::now() - start) * 1e6);
  }
  std::printf("| %ld | %.0f | %.2f |\n", layers, train::median(times),
              train::median(times) / static_cast<double>(layers));
}

}  // namespace

int main(int argc, char** argv) try {
  const int largest = argc > 1 ? std::atoi(argv[1]) : 7;
  set_num_threads(argc > 2 ? std::atoi(argv[2]) : 1);
  std::printf(
      "| samples | µs a sample | s before the first step | data, MB | resident with the data, MB | peak, MB |\n");
  std::printf("| --- | --- | --- | --- | --- | --- |\n");
  Index count = 1000;
  for (int power = 3; power <= largest; ++power, count *= 10) samples(count);
  std::printf("\n| layers of 16 | µs a step | µs a layer |\n| --- | --- | --- |\n");
  for (const long layers : {10, 100, 1000}) chain(layers);
} catch (const std::exception& error) {
  std::fprintf(stderr, "scaling: %s\n", error.what());
  return 1;
}
