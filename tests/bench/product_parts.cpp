// What the time of a large product goes into: C [512, 1024] = A [512, 1024] B [1024, 1024], as forward at T5, and the
// gradient of its weights. One thread, kernels for this processor.
// prints: handrail PART FIGURE UNIT
#include <cstdio>
#include <vector>

#include <handrail/core/kernels/gemm_tiles.h>

#include "workload.h"

using namespace handrail;
using namespace handrail::kernels;

namespace {

// Aligned as blocks are.
class Block {
 public:
  explicit Block(Index size) : memory_(static_cast<std::size_t>(size + 16), Scalar(0.001)) {}
  Scalar* data() {
    const auto at = reinterpret_cast<std::uintptr_t>(memory_.data()) / sizeof(Scalar);
    return memory_.data() + (16 - at % 16) % 16;
  }

 private:
  std::vector<Scalar> memory_;
};

// As the kernels call it: a packed strip of A, whose strides the compiler does not know.
__attribute__((noinline)) void packed_tile(Index k, const Scalar* a, Index ai, Index ak, const Scalar* b,
                                           const Destination& to) {
  tile_of<tile_vectors>(tile_rows, k, a, ai, ak, b, tile_vectors * lanes, to);
}

}  // namespace

int main() {
  constexpr Index m = 512, n = 1024, k = 1024, width = tile_vectors * lanes;
  Block a(k * k), b(k * n), c(k * n), packed(4 * k * n);
  const double flops = 2.0 * m * n * k;
  const auto report = [](const char* part, double figure, const char* unit) {
    std::printf("handrail %-42s %6.0f %s\n", part, figure, unit);
  };

  // All blocks of the product, packed already.
  const Index panels = n / width;
  const double tiles = bench::best_seconds([&] {
    for (Index k0 = 0; k0 < k; k0 += block_k)
      for (Index m0 = 0; m0 < m; m0 += block_m)
        for (Index j = 0; j < panels; ++j)
          for (Index i = 0; i < block_m; i += tile_rows)
            packed_tile(
                block_k, packed.data() + i * block_k, 1, tile_rows, b.data() + j * width * block_k,
                {.c = c.data() + (m0 + i) * n + j * width, .ldc = n, .cols = width, .from_c = true, .row = nullptr});
  });
  report("tiles of packed blocks", flops * static_cast<double>(panels * width) / n / tiles * 1e-9, "GFLOP/s");

  const auto pack_a = [&](Index rows, Index depth, const Strided& from) {
    return bench::best_seconds([&] {
      for (Index k0 = 0; k0 < depth; k0 += block_k)
        for (Index i = 0; i < rows; i += tile_rows)
          pack_strip(tile_rows, block_k,
                     {from.data + i * from.row_stride + k0 * from.col_stride, from.row_stride, from.col_stride},
                     packed.data() + i % block_m * block_k);
    });
  };
  report("packing A", 1e6 * pack_a(m, k, {a.data(), k, 1}), "us");
  report("packing A, transposed", 1e6 * pack_a(k, m, {a.data(), 1, k}), "us");
  const double pack_b = bench::best_seconds([&] {
    for (Index k0 = 0; k0 < k; k0 += block_k)
      for (Index j = 0; j < n; j += width)
        pack_panel(block_k, smaller(width, n - j), width, {b.data() + k0 * n + j, n, 1}, packed.data() + j * block_k);
  });
  report("packing B", 1e6 * pack_b, "us");

  Gemm whole{.m = m,
             .n = n,
             .k = k,
             .a = {a.data(), k, 1},
             .b = {b.data(), n, 1},
             .c = c.data(),
             .ldc = n,
             .accumulate = false,
             .row = nullptr};
  const double forward = bench::best_seconds([&] { gemm(whole, packed.data()); });
  report("product, all of it", 1e6 * forward, "us");
  report("product, all of it", flops / forward * 1e-9, "GFLOP/s");
  whole.m = k;
  whole.k = m;
  whole.a = {a.data(), 1, k};
  const double gradient = bench::best_seconds([&] { gemm(whole, packed.data()); });
  report("product with A transposed, all of it", flops / gradient * 1e-9, "GFLOP/s");
}
