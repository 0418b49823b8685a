#pragma once

#include <handrail/core/tape.h>
#include <handrail/core/tensor.h>

// The differentiable operations. Each is one function, forward and backward together, built on the
// public Tape::record: an op of your own is written exactly the same way (examples/custom_op.cpp).
// N is the number of samples, C of classes; a tensor of higher rank counts as a matrix whose columns
// are the last dimension. All throw ShapeError when shapes do not fit. A NaN in an input comes out.

namespace handrail {
inline namespace HANDRAIL_SCALAR_NAMESPACE {

// Arithmetic, element by element, with NumPy's broadcasting: shapes are aligned at their last
// dimension, and a dimension of 1 stretches to the other's.
Tensor add(const Tensor& a, const Tensor& b);
Tensor sub(const Tensor& a, const Tensor& b);
Tensor mul(const Tensor& a, const Tensor& b);
Tensor div(const Tensor& a, const Tensor& b);
/// scale * x + shift
Tensor affine(const Tensor& x, double scale, double shift);

inline Tensor operator+(const Tensor& a, const Tensor& b) { return add(a, b); }
inline Tensor operator-(const Tensor& a, const Tensor& b) { return sub(a, b); }
inline Tensor operator*(const Tensor& a, const Tensor& b) { return mul(a, b); }
inline Tensor operator/(const Tensor& a, const Tensor& b) { return div(a, b); }
inline Tensor operator+(const Tensor& a, double b) { return affine(a, 1, b); }
inline Tensor operator+(double a, const Tensor& b) { return affine(b, 1, a); }
inline Tensor operator-(const Tensor& a, double b) { return affine(a, 1, -b); }
inline Tensor operator-(double a, const Tensor& b) { return affine(b, -1, a); }
inline Tensor operator*(const Tensor& a, double b) { return affine(a, b, 0); }
inline Tensor operator*(double a, const Tensor& b) { return affine(b, a, 0); }
inline Tensor operator/(const Tensor& a, double b) { return affine(a, 1 / b, 0); }
inline Tensor operator-(const Tensor& a) { return affine(a, -1, 0); }

// Functions of each element.
Tensor exp(const Tensor& x);
Tensor log(const Tensor& x);
Tensor sqrt(const Tensor& x);
Tensor square(const Tensor& x);
/// The gradient at 0 is 0.
Tensor abs(const Tensor& x);

// Activations.
/// max(x, 0). The gradient at 0 is 0.
Tensor relu(const Tensor& x);
Tensor tanh(const Tensor& x);
/// 1 / (1 + exp(-x))
Tensor sigmoid(const Tensor& x);
/// x * Phi(x) with the normal distribution function, through erf (Hendrycks and Gimpel 2016).
Tensor gelu(const Tensor& x);
/// log(1 + exp(x)), without overflow for large x.
Tensor softplus(const Tensor& x);

// Matrix products.
/// a: [N, K], b: [K, M] -> [N, M]
Tensor matmul(const Tensor& a, const Tensor& b);
/// y = x W + b. x: [..., in], weight: [in, out], bias: [out] or undefined for none -> [..., out].
/// The weight is the transpose of PyTorch's: measured faster, see tests/bench/layout_bench.cpp.
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {});

// Reductions and shapes.
/// Over all elements -> a scalar.
Tensor sum(const Tensor& x);
Tensor mean(const Tensor& x);
/// Over one axis, which is dropped, or kept with size 1. Negative axes count from the end.
Tensor sum(const Tensor& x, int axis, bool keepdim = false);
Tensor mean(const Tensor& x, int axis, bool keepdim = false);
/// The same elements in another shape of the same size; shares memory with x.
Tensor reshape(const Tensor& x, const Shape& shape);

// Over the last dimension, stable for large inputs: the maximum is subtracted first.
Tensor softmax(const Tensor& x);
Tensor log_softmax(const Tensor& x);

// Losses: means over the samples, as scalars.
/// Mean cross entropy of softmax(logits) against class indices, in nats.
/// logits: [N, C]; targets: [N], whole numbers in [0, C). Throws DataError naming the row on a bad
/// class. Stable for large logits.
Tensor cross_entropy(const Tensor& logits, const Tensor& targets);
/// Mean binary cross entropy of sigmoid(logits) against targets in [0, 1], of the same shape, in nats.
/// Throws DataError naming the element on a target outside. Stable for large logits.
Tensor binary_cross_entropy_with_logits(const Tensor& logits, const Tensor& targets);
/// Mean of (predictions - targets)^2. The shapes must be the same: [N] against [N, 1] is an error,
/// not a broadcast to [N, N].
Tensor mse_loss(const Tensor& predictions, const Tensor& targets);

// Normalisation and regularisation.
/// Each row to mean 0 and variance 1 over the last dimension, then gain * x + shift
/// (Ba, Kiros, Hinton 2016). x: [N, D], gain and shift: [D].
Tensor layer_norm(const Tensor& x, const Tensor& gain, const Tensor& shift, double eps = 1e-5);

/// The running statistics of batch_norm, [D] each.
struct RunningStats {
  Tensor mean;
  Tensor variance;
};
/// Each column to mean 0 and variance 1 over the batch, then gain * x + shift (Ioffe, Szegedy 2015).
/// x: [N, D], gain and shift: [D]. In training the batch's statistics are used, and running moves
/// towards them by `momentum` (variance with N - 1, as in PyTorch) unless they are not finite; in
/// evaluation the running ones are used. Throws ShapeError in training when N is 1.
Tensor batch_norm(const Tensor& x, const Tensor& gain, const Tensor& shift, const RunningStats& running,
                  double momentum = 0.1, double eps = 1e-5);
/// In training, zeroes each element with probability p and divides the others by 1 - p (Srivastava et
/// al. 2014); in evaluation, x itself. The mask is a function of the tape's random position, the
/// order of calls and the element, so it is the same on any number of threads.
/// Throws OptionError unless 0 <= p < 1; TapeError when the tape has no random position.
Tensor dropout(const Tensor& x, double p);

}  // namespace HANDRAIL_SCALAR_NAMESPACE
}  // namespace handrail
