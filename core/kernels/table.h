#pragma once

#include <cstdint>

#include <handrail/core/scalar.h>

// Inside the library: the hot loops, compiled once for each instruction set.
//
// The sources that include this are compiled with flags that the processor may lack. Nothing with a body
// that the linker could share belongs here or there: no inline function, no template outside of an unnamed
// namespace, no header that brings one in use. Else it might take the copy with AVX-512 for everybody.

namespace handrail {
inline namespace HANDRAIL_SCALAR_NAMESPACE {
namespace kernels {

/// Element (i, j) is data[i * row_stride + j * col_stride].
struct Strided {
  const Scalar* data;
  Index row_stride, col_stride;
};

// Caches: a panel of B (block_k x a tile's columns) stays in L1, a block of A in L2, a block of B in L2/L3.
constexpr Index block_k = 1024 / sizeof(Scalar);
constexpr Index block_m = 256;
constexpr Index block_n = 1024;

/// C [m, n] = start + A [m, k] B [k, n]; see gemm().
struct Product {
  Index m, n, k;
  Strided a, b;
  Scalar* c;
  Index ldc;
  bool accumulate;
  const Scalar* row;
};

/// What an update by Adam takes from the step.
struct AdamStep {
  Scalar beta1, beta2;
  Scalar gain1, gain2;  // of g and g^2: 1 - beta
  Scalar scale;         // of the gradient: in the gains, its square would vanish in float
  Scalar penalty;       // of the weight in the gradient
  Scalar rate;          // over the bias correction of m
  Scalar correction;    // 1 / sqrt(1 - beta2^t)
  Scalar eps;
  Scalar keep;  // of the weight: 1 - rate * decay
};

/// The same for SGD: u = momentum u + g, w -= rate (direct g + ahead u).
struct SgdStep {
  Scalar scale, penalty, rate, momentum, direct, ahead;
};

/// Every function runs on the calling thread and allocates nothing. Its bits do not depend on the addresses.
struct Kernels {
  const char* instructions;
  Index tile_rows, tile_cols, lanes;  // of a product

  /// All of it on this thread. scratch: for a packed block of A, with a tile to spare, and one of B; aligned to 64
  /// bytes.
  void (*product)(const Product& product, Scalar* scratch);
  /// to[j] += the sum of column j of the rows, in order.
  void (*add_column_sums)(const Scalar* from, Index rows, Index cols, Scalar* to);

  /// Zero for what is below zero; a NaN stays one.
  void (*relu)(const Scalar* x, Index size, Scalar* y);
  void (*relu_backward)(const Scalar* y, const Scalar* gy, Index size, Scalar* to, bool accumulate);

  /// NaN for NaN, and at most 4 ulp off, tested for all sets; but gelu below -1 within 4 ulp of x, and its slope
  /// within 2 ulp of 1.
  void (*exp)(const Scalar* x, Index size, Scalar* y);
  void (*tanh)(const Scalar* x, Index size, Scalar* y);
  void (*sigmoid)(const Scalar* x, Index size, Scalar* y);
  void (*gelu)(const Scalar* x, Index size, Scalar* y);
  void (*gelu_backward)(const Scalar* x, const Scalar* gy, Index size, Scalar* to, bool accumulate);

  /// For each row: its maximum, p = exp(x - maximum), and the sum of p.
  void (*exp_rows)(const Scalar* x, Index rows, Index cols, Scalar* p, Scalar* sums, Scalar* maxima);
  /// The gradient of the mean cross entropy, times scale, from the p and sums of exp_rows.
  void (*cross_entropy_backward)(const Scalar* p, const Scalar* sums, const Scalar* classes, Scalar scale, Index rows,
                                 Index cols, Scalar* to, bool accumulate);

  /// In double, in an order that is the same for every instruction set.
  double (*sum_of_squares)(const Scalar* x, Index size);
  /// Infinity when one is infinite and NaN when one is NaN.
  double (*largest_magnitude)(const Scalar* x, Index size);

  /// Return the largest magnitude of what they leave in w and the moments.
  double (*adam)(const AdamStep& step, const Scalar* gradient, Index size, Scalar* w, Scalar* m, Scalar* v);
  double (*sgd)(const SgdStep& step, const Scalar* gradient, Index size, Scalar* w);
  double (*sgd_momentum)(const SgdStep& step, const Scalar* gradient, Index size, Scalar* w, Scalar* u);
};

// The sets; x86 has all three, other processors the last.
extern const Kernels avx512, avx2, portable;

}  // namespace kernels
}  // namespace HANDRAIL_SCALAR_NAMESPACE
}  // namespace handrail
