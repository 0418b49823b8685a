// Decides how a linear layer keeps its weight: [in, out] or PyTorch's [out, in]. Times the products of
// a training step of T1 to T5 in both: forward, gradient of the weight, gradient of the input (none
// for the first layer), interleaved. usage: layout_bench <threads>
#include <handrail/core/ops/internal/gemm.h>

#include "model.h"
#include "workload.h"

using namespace handrail;

namespace {

struct LayerData {
  Index n, in, out;
  bool first;
  Tensor x, w, gy, y, gx, gw;
};

template <class Body>
double time_of(Body body) {
  long repeats = 1;
  for (;;) {
    const double start = bench::now();
    for (long i = 0; i < repeats; ++i) body();
    const double elapsed = bench::now() - start;
    if (elapsed > 0.02) return elapsed / static_cast<double>(repeats) * 1e6;
    repeats *= 2;
  }
}

}  // namespace

int main(int argc, char** argv) {
  set_num_threads(argc > 1 ? std::atoi(argv[1]) : 1);
  std::printf("us per step, threads %d\n       forward          weight gradient  input gradient   all\n",
              num_threads());
  std::printf("       [in,out] [out,in] [in,out] [out,in] [in,out] [out,in] [in,out] [out,in]\n");
  for (const char* name : {"T1", "T2", "T3", "T4", "T5"}) {
    const bench::Workload work = bench::workload(name);
    Rng rng(1);
    std::vector<LayerData> layers;
    for (std::size_t l = 0; l + 1 < work.widths.size(); ++l) {
      const Index n = work.batch, in = work.widths[l], out = work.widths[l + 1];
      layers.push_back({n, in, out, l == 0, normal({n, in}, 0, 1, rng), normal({in, out}, 0, 1, rng),
                        normal({n, out}, 0, 1, rng), Tensor(Shape{n, out}), Tensor(Shape{n, in}),
                        Tensor(Shape{in, out})});
    }
    // The same memory read in either layout: only the shape of the products differs.
    const auto forward = [&](bool in_out) {
      for (const LayerData& d : layers)
        gemm(d.n, d.out, d.in, row_major(d.x.data(), d.in),
             in_out ? row_major(d.w.data(), d.out) : row_major(d.w.data(), d.in).transposed(), d.y.mutable_data(),
             d.out);
    };
    const auto weight_gradient = [&](bool in_out) {
      for (const LayerData& d : layers)
        if (in_out)
          gemm(d.in, d.out, d.n, row_major(d.x.data(), d.in).transposed(), row_major(d.gy.data(), d.out),
               d.gw.mutable_data(), d.out);
        else
          gemm(d.out, d.in, d.n, row_major(d.gy.data(), d.out).transposed(), row_major(d.x.data(), d.in),
               d.gw.mutable_data(), d.in);
    };
    const auto input_gradient = [&](bool in_out) {
      for (const LayerData& d : layers)
        if (!d.first)
          gemm(d.n, d.in, d.out, row_major(d.gy.data(), d.out),
               in_out ? row_major(d.w.data(), d.out).transposed() : row_major(d.w.data(), d.in), d.gx.mutable_data(),
               d.in);
    };
    constexpr int rounds = 15;
    std::vector<double> times[6];
    for (int round = 0; round < rounds; ++round)
      for (const bool in_out : {true, false}) {
        times[in_out ? 0 : 1].push_back(time_of([&] { forward(in_out); }));
        times[in_out ? 2 : 3].push_back(time_of([&] { weight_gradient(in_out); }));
        times[in_out ? 4 : 5].push_back(time_of([&] { input_gradient(in_out); }));
      }
    double median[6];
    for (int i = 0; i < 6; ++i) {
      std::ranges::sort(times[i]);
      median[i] = times[i][rounds / 2];
    }
    std::printf("%-5s", name);
    for (const double m : median) std::printf(" %8.2f", m);
    std::printf(" %8.2f %8.2f  x%.2f\n", median[0] + median[2] + median[4], median[1] + median[3] + median[5],
                (median[1] + median[3] + median[5]) / (median[0] + median[2] + median[4]));
  }
}
