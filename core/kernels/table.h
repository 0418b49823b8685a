#pragma once

#include <cstdint>

#include <handrail/core/kernels/elementwise_ops.h>
#include <handrail/core/scalar.h>

// Inside the library: the table of the hot loops, which are compiled once for each instruction set. "Hot ops" in
// docs/speed.md says what each op would take with Eigen.
//
// Sources that include this header may be compiled with instructions that the processor lacks. Neither this header nor
// those sources may contain a function that the linker can share between objects: no inline function and no template
// outside an unnamed namespace, and no header that has one which is used. Otherwise the linker might pick the copy with
// AVX-512 for the whole program. tests/tree/kernel_symbols.sh checks this.

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

/// C [m, n] = start + A [m, k] B [k, n]; see gemm() in gemm.h.
struct Gemm {
  Index m, n, k;
  Strided a, b;
  Scalar* c;
  Index ldc;
  bool accumulate;
  const Scalar* row;
};

/// How one operand follows the output of a broadcast op.
struct BroadcastOperand {
  bool steps = true;      // within a row: it advances with the output, or repeats one element
  Index strides[3] = {};  // of the loops; 0 where the operand is stretched
};
/// How two operands are broadcast to one shape: three loops, outermost first, over rows of `row` elements.
struct Broadcast {
  Index row = 1;
  Index loops[3] = {1, 1, 1};
  BroadcastOperand a{}, b{};
};

/// The coefficients of one update by Adam or AdamW (formulas: optim/adam.h), with g = scale gradient + penalty w.
struct AdamStep {
  Scalar beta1, beta2;
  Scalar gain1, gain2;  // 1 - beta1 and 1 - beta2, which multiply g and g^2
  Scalar scale;         // separate from the gains, as its square would underflow in float
  Scalar penalty;       // L2
  Scalar rate;          // divided by the bias correction of m, 1 - beta1^t
  Scalar correction;    // the bias correction of sqrt(v), 1 / sqrt(1 - beta2^t)
  Scalar eps;
  Scalar keep;  // the decoupled decay: w is multiplied by keep = 1 - rate * decay
};

/// The coefficients of one update by SGD: g = scale gradient + penalty w, u = momentum u + g and
/// w -= rate (direct g + ahead u).
struct SgdStep {
  Scalar scale, penalty, rate, momentum, direct, ahead;
};

// In what follows `to` is the gradient of an input: it is overwritten, or added to when `accumulate` is set.

/// An op of elementwise_ops.h over arrays. `kept` is the input or the output of the op, as `keep` says; `ns` is what an
/// element takes.
struct Elementwise {
  Keep keep;
  double ns;
  void (*forward)(const Scalar* x, Index size, Scalar* y);
  void (*backward)(const Scalar* kept, const Scalar* gy, Index size, Scalar* to, bool accumulate);
};

/// An op on two operands, and functions that add to the gradient of each.
struct Arithmetic {
  void (*forward)(const Broadcast& plan, const Scalar* a, const Scalar* b, Scalar* y);
  void (*backward_a)(const Broadcast& plan, const Scalar* gy, const Scalar* a, const Scalar* b, Scalar* to);
  void (*backward_b)(const Broadcast& plan, const Scalar* gy, const Scalar* a, const Scalar* b, Scalar* to);
};

/// Every function runs on the calling thread and allocates nothing. Its bits do not depend on the alignment of arrays.
struct Kernels {
  const char* instructions;
  Index tile_rows, tile_cols, lanes;  // of gemm: the tile in registers, and the elements of a vector

  /// scratch: room for a packed block of A, plus one tile, and a packed block of B, aligned to 64 bytes.
  void (*gemm)(const Gemm& g, Scalar* scratch);

  /// y = factor x + offset
  void (*affine)(const Scalar* x, Index size, Scalar factor, Scalar offset, Scalar* y);
  void (*from_bytes)(const unsigned char* bytes, Index size, Scalar factor, Scalar offset, Scalar* y);
  /// scale: to = factor x; multiply: to = a b.
  void (*scale)(const Scalar* x, Index size, Scalar factor, Scalar* to, bool accumulate);
  void (*multiply)(const Scalar* a, const Scalar* b, Index size, Scalar* to, bool accumulate);
  /// Elements from `first` on, which is a multiple of 4. An element is kept and multiplied by scale when its 32 random
  /// bits are at least the threshold. counter [4] and key [2] are those of a PhiloxPoint.
  void (*dropout)(const std::uint32_t* counter, const std::uint32_t* key, Index first, Index size,
                  std::uint32_t threshold, Scalar scale, const Scalar* x, Scalar* mask, Scalar* y);

  Arithmetic add, sub, mul, div;

  /// Sums in double, in an order that is the same for every instruction set. squared_distance is the sum of (a - b)^2.
  double (*sum)(const Scalar* x, Index size);
  double (*sum_of_squares)(const Scalar* x, Index size);
  double (*squared_distance)(const Scalar* a, const Scalar* b, Index size);
  /// The largest |x|: NaN when an element is NaN, else infinity when one is infinite.
  double (*largest_magnitude)(const Scalar* x, Index size);
  /// to[j] += the sum of column j, or of a b in column j, in the order of the rows.
  void (*add_column_sums)(const Scalar* from, Index rows, Index cols, Scalar* to);
  void (*add_column_products)(const Scalar* a, const Scalar* b, Index rows, Index cols, Scalar* to);
  /// y [outer, inner] = scale times the sum of x [outer, count, inner] over its middle dimension, and its gradient.
  void (*sum_axis)(const Scalar* x, Index outer, Index count, Index inner, Scalar scale, Scalar* y);
  void (*sum_axis_backward)(const Scalar* gy, Index outer, Index count, Index inner, Scalar scale, Scalar* to,
                            bool accumulate);

  /// For each row: its maximum, p = exp(x - maximum) and the sum of p. divide_rows divides p by the sums.
  void (*exp_rows)(const Scalar* x, Index rows, Index cols, Scalar* p, Scalar* sums, Scalar* maxima);
  void (*divide_rows)(const Scalar* sums, Index rows, Index cols, Scalar* p);
  void (*softmax_backward)(const Scalar* p, const Scalar* gy, Index rows, Index cols, Scalar* to, bool accumulate);
  void (*log_softmax)(const Scalar* x, const Scalar* maxima, const Scalar* sums, Index rows, Index cols, Scalar* y);
  void (*log_softmax_backward)(const Scalar* p, const Scalar* gy, Index rows, Index cols, Scalar* to, bool accumulate);
  /// The gradient of the summed cross entropy times scale, from the p and the sums of exp_rows.
  void (*cross_entropy_backward)(const Scalar* p, const Scalar* sums, const Scalar* classes, Scalar scale, Index rows,
                                 Index cols, Scalar* to, bool accumulate);
  /// The sum over all elements for logits x, and its gradient scale (sigmoid(x) - target).
  double (*binary_cross_entropy)(const Scalar* x, const Scalar* targets, Index size);
  void (*binary_cross_entropy_backward)(const Scalar* x, const Scalar* targets, Index size, Scalar scale, Scalar* to,
                                        bool accumulate);
  /// to = scale (a - b)
  void (*mse_loss_backward)(const Scalar* a, const Scalar* b, Index size, Scalar scale, Scalar* to, bool accumulate);

  /// normed = (x - mean) inverse and y = gain normed + shift, with inverse = 1 / sqrt(variance + eps): over each row in
  /// layer_norm, over each column in batch_norm.
  void (*layer_norm)(const Scalar* x, const Scalar* gain, const Scalar* shift, Scalar eps, Index rows, Index cols,
                     Scalar* normed, Scalar* inverse, Scalar* y);
  void (*layer_norm_backward)(const Scalar* normed, const Scalar* inverse, const Scalar* gain, const Scalar* gy,
                              Index rows, Index cols, Scalar* to, bool accumulate);
  void (*column_moments)(const Scalar* x, Index rows, Index cols, Scalar* mean, Scalar* variance);
  void (*batch_norm)(const Scalar* x, const Scalar* mean, const Scalar* inverse, const Scalar* gain,
                     const Scalar* shift, Index rows, Index cols, Scalar* normed, Scalar* y);
  void (*batch_norm_backward)(const Scalar* normed, const Scalar* factor, const Scalar* mean_gy,
                              const Scalar* mean_along, const Scalar* gy, Index rows, Index cols, Scalar* to,
                              bool accumulate);

  /// Update w and the moments (m, v, u) in place; return the largest magnitude that they wrote, NaN when one is NaN.
  double (*adam)(const AdamStep& step, const Scalar* gradient, Index size, Scalar* w, Scalar* m, Scalar* v);
  double (*sgd)(const SgdStep& step, const Scalar* gradient, Index size, Scalar* w);
  double (*sgd_momentum)(const SgdStep& step, const Scalar* gradient, Index size, Scalar* w, Scalar* u);

#define HANDRAIL_FIELD(name, Op) Elementwise name;
  HANDRAIL_ELEMENTWISE_OPS(HANDRAIL_FIELD)
#undef HANDRAIL_FIELD
};

// The instruction sets: x86 has all three, other processors only the last.
extern const Kernels avx512, avx2, portable;

}  // namespace kernels
}  // namespace HANDRAIL_SCALAR_NAMESPACE
}  // namespace handrail
