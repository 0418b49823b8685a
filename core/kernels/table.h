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

/// How two operands are stretched to one shape: rows, in which an operand steps with the output or stands still, and
/// loops around them, outermost first.
struct Stretched {
  bool steps = true;
  Index strides[3] = {};  // of the loops; 0 where the operand is stretched
};
struct Broadcast {
  Index row = 1;  // elements in a row
  Index loops[3] = {1, 1, 1};
  Stretched a{}, b{};
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

// In what follows `to` is the gradient of an input, which is overwritten, or added to when `accumulate` is set.

/// An op on each element, and the gradient of its input from what it keeps: its input or its output.
struct Elementwise {
  void (*forward)(const Scalar* x, Index size, Scalar* y);
  void (*backward)(const Scalar* kept, const Scalar* gy, Index size, Scalar* to, bool accumulate);
};

/// An op on two operands, and what it adds to the gradient of each.
struct Arithmetic {
  void (*forward)(const Broadcast& plan, const Scalar* a, const Scalar* b, Scalar* y);
  void (*backward_a)(const Broadcast& plan, const Scalar* gy, const Scalar* a, const Scalar* b, Scalar* to);
  void (*backward_b)(const Broadcast& plan, const Scalar* gy, const Scalar* a, const Scalar* b, Scalar* to);
};

/// Every function runs on the calling thread and allocates nothing. Its bits do not depend on the addresses.
struct Kernels {
  const char* instructions;
  Index tile_rows, tile_cols, lanes;  // of a product

  /// All of it on this thread. scratch: for a packed block of A, with a tile to spare, and one of B; aligned to 64
  /// bytes.
  void (*product)(const Product& product, Scalar* scratch);

  /// A NaN stays one. The slope of relu is taken where the output is above zero, and nothing else gets there.
  Elementwise relu, square, abs, sqrt;
  /// At most 4 ulp off, tested for all sets; but gelu below -1 within 4 ulp of x, and its slope within 2 ulp of 1.
  Elementwise exp, log, tanh, sigmoid, softplus, gelu;
  /// y = factor x + offset
  void (*affine)(const Scalar* x, Index size, Scalar factor, Scalar offset, Scalar* y);
  void (*from_bytes)(const unsigned char* bytes, Index size, Scalar factor, Scalar offset, Scalar* y);
  /// factor x, and a b
  void (*scale)(const Scalar* x, Index size, Scalar factor, Scalar* to, bool accumulate);
  void (*multiply)(const Scalar* a, const Scalar* b, Index size, Scalar* to, bool accumulate);
  /// Of elements from `first`, a multiple of 4, on: one is kept, times scale, when its 32 bits are at least the
  /// threshold; counter [4] and key [2] are those of a philox_point.
  void (*dropout)(const std::uint32_t* counter, const std::uint32_t* key, Index first, Index size,
                  std::uint32_t threshold, Scalar scale, const Scalar* x, Scalar* mask, Scalar* y);

  Arithmetic add, sub, mul, div;

  /// In double, in an order that is the same for every instruction set.
  double (*sum)(const Scalar* x, Index size);
  double (*sum_of_squares)(const Scalar* x, Index size);
  double (*squared_distance)(const Scalar* a, const Scalar* b, Index size);
  /// Infinity when one is infinite and NaN when one is NaN.
  double (*largest_magnitude)(const Scalar* x, Index size);
  /// to[j] += the sum of column j of the rows, or of its products, in order.
  void (*add_column_sums)(const Scalar* from, Index rows, Index cols, Scalar* to);
  void (*add_column_products)(const Scalar* a, const Scalar* b, Index rows, Index cols, Scalar* to);
  /// y [outer, inner] = scale times the sum of x [outer, count, inner] over its middle, and back.
  void (*sum_axis)(const Scalar* x, Index outer, Index count, Index inner, Scalar scale, Scalar* y);
  void (*spread_axis)(const Scalar* gy, Index outer, Index count, Index inner, Scalar scale, Scalar* to,
                      bool accumulate);

  /// For each row: its maximum, p = exp(x - maximum), and the sum of p.
  void (*exp_rows)(const Scalar* x, Index rows, Index cols, Scalar* p, Scalar* sums, Scalar* maxima);
  void (*divide_rows)(const Scalar* sums, Index rows, Index cols, Scalar* p);
  void (*softmax_backward)(const Scalar* p, const Scalar* gy, Index rows, Index cols, Scalar* to, bool accumulate);
  void (*log_softmax)(const Scalar* x, const Scalar* maxima, const Scalar* sums, Index rows, Index cols, Scalar* y);
  void (*log_softmax_backward)(const Scalar* p, const Scalar* gy, Index rows, Index cols, Scalar* to, bool accumulate);
  /// The gradient of the mean cross entropy, times scale, from the p and sums of exp_rows.
  void (*cross_entropy_backward)(const Scalar* p, const Scalar* sums, const Scalar* classes, Scalar scale, Index rows,
                                 Index cols, Scalar* to, bool accumulate);
  /// The sum over the logits x, and scale (sigmoid(x) - target).
  double (*binary_cross_entropy)(const Scalar* x, const Scalar* targets, Index size);
  void (*binary_cross_entropy_backward)(const Scalar* x, const Scalar* targets, Index size, Scalar scale, Scalar* to,
                                        bool accumulate);
  /// scale (a - b)
  void (*scaled_difference)(const Scalar* a, const Scalar* b, Index size, Scalar scale, Scalar* to, bool accumulate);

  /// normed = (x - mean) inverse, y = gain normed + shift: inverse is 1 / sqrt(variance + eps), of rows or of columns.
  void (*layer_norm)(const Scalar* x, const Scalar* gain, const Scalar* shift, Scalar eps, Index rows, Index cols,
                     Scalar* normed, Scalar* inverse, Scalar* y);
  void (*layer_norm_backward)(const Scalar* normed, const Scalar* inverse, const Scalar* gain, const Scalar* gy,
                              Index rows, Index cols, Scalar* to, bool accumulate);
  void (*column_moments)(const Scalar* x, Index rows, Index cols, Scalar* mean, Scalar* variance);
  void (*inverse_roots)(const Scalar* variance, Index size, Scalar eps, Scalar* inverse);
  void (*batch_norm)(const Scalar* x, const Scalar* mean, const Scalar* inverse, const Scalar* gain,
                     const Scalar* shift, Index rows, Index cols, Scalar* normed, Scalar* y);
  void (*batch_norm_backward)(const Scalar* normed, const Scalar* factor, const Scalar* mean_gy,
                              const Scalar* mean_along, const Scalar* gy, Index rows, Index cols, Scalar* to,
                              bool accumulate);

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
