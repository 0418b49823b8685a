#include <handrail/core/ops/internal/gemm.h>

#include <algorithm>
#include <memory>
#include <new>

#include <handrail/core/error.h>
#include <handrail/core/system/internal/kernels.h>
#include <handrail/core/system/parallel.h>

namespace handrail {
inline namespace HANDRAIL_SCALAR_NAMESPACE {
namespace {

// Of the widest kernels, products being the fastest there.
constexpr double ns_per_multiply_add = 0.0125;

// The elements of scratch that a product of [m, k] and [k, n] needs, in whole cache lines.
Index scratch_size(const kernels::Kernels& set, Index m, Index n, Index k) {
  const auto rounded = [](Index size, Index to) { return (size + to - 1) / to * to; };
  const Index block_k = std::min(kernels::block_k, rounded(k, 8));
  const Index block_n = std::min(kernels::block_n, rounded(n, set.lanes));
  return rounded((block_n + std::min(kernels::block_m, m) + set.tile_rows) * block_k, 16);
}

// Memory of the thread that calls gemm(). It grows and is kept. The scratch of the threads that help comes from here
// too: a thread that helps for the first time late in a run must not allocate.
Scalar* scratch(Index size) {
  struct Deleter {
    void operator()(Scalar* p) const { ::operator delete (p, std::align_val_t{64}); }
  };
  static thread_local std::unique_ptr<Scalar, Deleter> memory;
  static thread_local Index capacity = 0;
  if (size > capacity) {
    memory.reset(
        static_cast<Scalar*>(::operator new (static_cast<std::size_t>(size) * sizeof(Scalar), std::align_val_t{64})));
    capacity = size;
  }
  return memory.get();
}

}  // namespace

void gemm(Index m, Index n, Index k, MatrixView a, MatrixView b, Scalar* c, Index ldc, GemmStart start) {
  if (m == 0 || n == 0) return;
  const kernels::Kernels& set = kernels_here();
  const kernels::Gemm all{.m = m,
                          .n = n,
                          .k = k,
                          .a = {a.data, a.row_stride, a.col_stride},
                          .b = {b.data, b.row_stride, b.col_stride},
                          .c = c,
                          .ldc = ldc,
                          .accumulate = start.accumulate,
                          .row = start.row};
  const int threads =
      threads_for(static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k) * ns_per_multiply_add);
  // Split the columns when there are enough of them: then no two threads pack the same block.
  const bool by_columns = n >= threads * set.tile_cols;
  const Index unit = by_columns ? set.lanes : set.tile_rows;
  const Index units = ((by_columns ? n : m) + unit - 1) / unit;
  const Index parts = std::min<Index>(threads, units);
  if (parts == 1) return set.gemm(all, scratch(scratch_size(set, m, n, k)));
  const Index max_part = (units + parts - 1) / parts * unit;
  const Index size = by_columns ? scratch_size(set, m, max_part, k) : scratch_size(set, max_part, n, k);
  Scalar* memory = scratch(parts * size);
  parallel_for(parts, threads, [&](Index part) {
    const Index begin = units * part / parts * unit;
    const Index end = std::min(by_columns ? n : m, units * (part + 1) / parts * unit);
    kernels::Gemm share = all;
    if (by_columns) {
      share.n = end - begin;
      share.b.data += begin * b.col_stride;
      share.c += begin;
      if (share.row) share.row += begin;
    } else {
      share.m = end - begin;
      share.a.data += begin * a.row_stride;
      share.c += begin * ldc;
    }
    set.gemm(share, memory + part * size);
  });
}

std::string gemm_description() {
  const kernels::Kernels& set = kernels::best();
  return concat(set.instructions, ", products in tiles of ", set.tile_rows, " x ", set.tile_cols);
}

}  // namespace HANDRAIL_SCALAR_NAMESPACE
}  // namespace handrail
