// The whole job: MNIST, 784-256-128-10, 5 epochs of batches of 128, AdamW 1e-3, through the Trainer.
// usage: train_mnist DIR THREADS [SEED]; DIR holds the four IDX files
// prints: handrail mnist THREADS train_s S total_s S test_accuracy A peak_rss_MB M
#include <sys/resource.h>

#include <handrail/handrail.h>

#include "workload.h"

using namespace handrail;

int main(int argc, char** argv) try {
  if (argc < 3 || argc > 4) {
    std::fprintf(stderr, "usage: train_mnist DIR THREADS [SEED]\n");
    return 2;
  }
  const double start = bench::now();
  set_num_threads(std::atoi(argv[2]));
  const std::uint64_t seed = argc == 4 ? std::strtoull(argv[3], nullptr, 10) : 1;
  const train::Mnist data = train::load_mnist(argv[1]);
  Rng rng(seed);
  nn::Sequential model{nn::Linear{784, 256, rng}, nn::ReLU{}, nn::Linear{256, 128, rng}, nn::ReLU{},
                       nn::Linear{128, 10, rng}};
  train::Trainer trainer{model,
                         cross_entropy,
                         {.epochs = 5,
                          .batch_size = 128,
                          .lr = 1e-3,
                          .validation_split = train::off,
                          .checkpoints = train::off,
                          .seed = seed,
                          .sinks = {}}};
  const auto result = trainer.fit(data.train);
  const auto test = trainer.evaluate(data.test);
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  std::printf("handrail mnist %s train_s %.2f total_s %.2f test_accuracy %.4f peak_rss_MB %.0f\n", argv[2],
              result.seconds, bench::now() - start, test.accuracy(), static_cast<double>(usage.ru_maxrss) / 1024);
} catch (const std::exception& error) {
  std::fprintf(stderr, "train_mnist: %s\n", error.what());
  return 1;
}
