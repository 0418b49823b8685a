// What there is to have, and how much of it we get. usage: limits <threads>
// prints lines: handrail WHAT THREADS FIGURE UNIT [SHARE of the peak]
//   peak        multiply-adds of vectors in registers, on each of the threads
//   product     the products of a step of T2 to T5: forward, gradients of the weights and of the inputs
//   save, load  a checkpoint of 4 million weights with their moments, on a disk in memory
//   gather      rows of 784 floats, or of bytes that become floats, in random order, as batches of 128
#include <filesystem>
#include <thread>

#include <handrail/core/ops/internal/gemm.h>
#include <handrail/handrail.h>

#include "workload.h"

using namespace handrail;

namespace {

#if defined(__AVX512F__)
constexpr int lanes = 16;
#elif defined(__AVX__)
constexpr int lanes = 8;
#else
constexpr int lanes = 4;
#endif
using Vector = float __attribute__((vector_size(lanes * sizeof(float))));

constexpr int chains = 12;
constexpr long turns = 1'000'000;

// Not inlined, so that every thread runs the same code.
__attribute__((noinline)) void multiply_and_add() {
  Vector sums[chains] = {};
  const Vector a = Vector{} + 1.0000001F, b = Vector{} + 0.9999999F;
  for (long t = 0; t < turns; ++t) {
#pragma GCC unroll 12
    for (int c = 0; c < chains; ++c) {
      sums[c] = sums[c] * a + b;
      asm volatile("" : "+v"(sums[c]));  // each of them, and none in advance
    }
  }
  volatile float sink = 0;
#pragma GCC unroll 12
  for (int c = 0; c < chains; ++c) sink = sink + sums[c][0];
}

double peak_gflops(int threads) {
  const double seconds = bench::best_seconds([&] {
    std::vector<std::jthread> others;
    for (int t = 1; t < threads; ++t) others.emplace_back(multiply_and_add);
    multiply_and_add();
  });
  return 2.0 * lanes * chains * turns * threads / seconds * 1e-9;
}

// The products of one step.
double product_gflops(const bench::Workload& w) {
  struct Layer {
    Index in, out;
    Tensor x, weight, gy, y, gx, gw;
  };
  Rng rng(1);
  std::vector<Layer> layers;
  double flops = 0;
  for (std::size_t l = 0; l + 1 < w.widths.size(); ++l) {
    const Index in = w.widths[l], out = w.widths[l + 1];
    layers.push_back({in, out, normal({w.batch, in}, 0, 1, rng), normal({in, out}, 0, 1, rng),
                      normal({w.batch, out}, 0, 1, rng), Tensor(Shape{w.batch, out}), Tensor(Shape{w.batch, in}),
                      Tensor(Shape{in, out})});
    flops += 2.0 * static_cast<double>(w.batch * in * out) * (l == 0 ? 2 : 3);
  }
  const double seconds = bench::best_seconds([&] {
    for (const Layer& l : layers)
      gemm(w.batch, l.out, l.in, row_major(l.x.data(), l.in), row_major(l.weight.data(), l.out), l.y.mutable_data(),
           l.out);
    for (std::size_t i = layers.size(); i-- > 0;) {
      const Layer& l = layers[i];
      gemm(l.in, l.out, w.batch, row_major(l.x.data(), l.in).transposed(), row_major(l.gy.data(), l.out),
           l.gw.mutable_data(), l.out);
      if (i > 0)
        gemm(w.batch, l.in, l.out, row_major(l.gy.data(), l.out), row_major(l.weight.data(), l.out).transposed(),
             l.gx.mutable_data(), l.in);
    }
  });
  return flops / seconds * 1e-9;
}

void checkpoints(int threads) {
  const std::filesystem::path memory = "/dev/shm";
  const auto dir = std::filesystem::exists(memory) ? memory : std::filesystem::temp_directory_path();
  const auto path = dir / ("handrail_limits_" + std::to_string(getpid()) + ".hrc");
  train::TrainingState state;
  const Tensor weights = Tensor::ones({2048, 2048});
  state.parameters = {{"weight", weights}};
  state.optimizer = {{"weight", {.t = 1, .slots = {weights.clone(), weights.clone()}}}};
  const double save = bench::best_seconds([&] { train::save_checkpoint(path, state); });
  const double load = bench::best_seconds([&] { train::load_checkpoint(path); });
  const double megabytes = static_cast<double>(std::filesystem::file_size(path)) * 1e-6;
  std::filesystem::remove(path);
  std::printf("handrail save %d %.0f MB/s\n", threads, megabytes / save);
  std::printf("handrail load %d %.0f MB/s\n", threads, megabytes / load);
}

constexpr Index batch = 128;

void gather(const char* what, const train::Dataset& data, int threads) {
  train::Loader loader(data, {.batch_size = batch, .shuffle_seed = 1});
  loader.start_epoch(1);
  Index i = 0;
  const double seconds = bench::best_seconds([&] { loader.batch(i++ % (data.size() / batch)); });
  std::printf("handrail %s %d %.1f million_samples/s\n", what, threads, static_cast<double>(batch) / seconds * 1e-6);
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 2) {
    std::fprintf(stderr, "usage: limits <threads>\n");
    return 2;
  }
  const int threads = std::atoi(argv[1]);
  set_num_threads(threads);
  const double peak = peak_gflops(threads);
  std::printf("handrail peak %d %.0f GFLOP/s\n", threads, peak);
  for (const char* name : {"T2", "T3", "T4", "T5"}) {
    const double got = product_gflops(bench::workload(name));
    std::printf("handrail product-%s %d %.0f GFLOP/s %.0f %%\n", name, threads, got, 100 * got / peak);
  }
  checkpoints(threads);
  constexpr Index count = 60'000, width = 784;
  gather("gather-floats",
         train::TensorDataset(Tensor(Shape{count, width}), Tensor(Shape{count}), {.check_finite = false}), threads);
  gather("gather-bytes",
         train::ByteDataset(Shape{width}, std::vector<std::uint8_t>(count * width), std::vector<std::uint8_t>(count)),
         threads);
} catch (const std::exception& error) {
  std::fprintf(stderr, "limits: %s\n", error.what());
  return 1;
}
