// Eight Trainers, two at a time: in an OpenMP loop of the program, in two threads of its own, and one after another
// on two threads of the library. usage: sweep [ROUNDS]
// prints: sweep openmp S threads S one-after-another S, the medians of interleaved rounds, and openmp / threads
#include <cstdint>
#include <thread>

#include <handrail/handrail.h>

#include "workload.h"

using namespace handrail;

namespace {

constexpr int trainers = 8;

// Trains 100-200-200-10 on generated samples.
void train_one(int number) {
  Rng rng(static_cast<std::uint64_t>(number));
  const Tensor inputs = normal({4096, 100}, 0, 1, rng), targets(Shape{4096});
  for (Index i = 0; i < 4096; ++i)
    targets.mutable_data()[i] = static_cast<Scalar>(inputs.at({i, 0}) > 0 ? i % 5 : 5 + i % 5);
  nn::Sequential model{nn::Linear{100, 200, rng}, nn::ReLU{}, nn::Linear{200, 200, rng}, nn::ReLU{},
                       nn::Linear{200, 10, rng}};
  train::Trainer trainer{model,
                         cross_entropy,
                         {.epochs = 8,
                          .batch_size = 128,
                          .lr = 1e-3,
                          .validation_split = train::off,
                          .checkpoints = train::off,
                          .sinks = {}}};
  trainer.fit(train::TensorDataset(inputs, targets));
}

template <class Body>
double seconds(Body body) {
  const double start = bench::now();
  body();
  return bench::now() - start;
}

void in_openmp_loop() {
#pragma omp parallel for num_threads(2) schedule(static, 1)
  for (int i = 0; i < trainers; ++i) train_one(i);
}

void in_two_threads() {
  const auto half = [](int first) {
    for (int i = first; i < trainers; i += 2) train_one(i);
  };
  std::jthread other(half, 1);
  half(0);
}

void one_after_another() {
  for (int i = 0; i < trainers; ++i) train_one(i);
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
  set_num_threads(2);
  std::vector<double> openmp, threads, serial;
  for (int round = 0; round < (argc > 1 ? std::atoi(argv[1]) : 7); ++round) {
    openmp.push_back(seconds(in_openmp_loop));
    threads.push_back(seconds(in_two_threads));
    serial.push_back(seconds(one_after_another));
  }
  std::printf("sweep openmp %.2f threads %.2f one-after-another %.2f  openmp / threads %.3f\n", median(openmp),
              median(threads), median(serial), median(openmp) / median(threads));
}
