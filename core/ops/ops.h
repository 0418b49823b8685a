#pragma once

#include <initializer_list>
#include <span>

#include <handrail/core/tape.h>
#include <handrail/core/tensor.h>

// The differentiable operations. Each is a function that computes its output and hands Tape::record the function that
// computes its gradient; an op of your own uses the same public interface, see examples/custom_op.cpp. Hot ops call
// kernels and the others are written with Eigen: see "Hot ops" in docs/speed.md.
//
// In the comments, N is the number of samples and C of classes. Where an op takes a matrix [N, D] and x has another
// rank, D is the last dimension and all others together are N.
//
// All ops throw ShapeError when shapes do not fit, and TapeError when an input belongs to a tape that no longer exists.
// A NaN in an input gives NaN in the output elements that depend on it.

namespace handrail {
inline namespace HANDRAIL_SCALAR_NAMESPACE {

// Arithmetic, element by element, with NumPy's broadcasting: shapes are aligned at their last dimensions, and a
// dimension that is missing or 1 is stretched to that of the other operand.
/// a + b
Tensor add(const Tensor& a, const Tensor& b);
/// a - b
Tensor sub(const Tensor& a, const Tensor& b);
/// a * b, element by element
Tensor mul(const Tensor& a, const Tensor& b);
/// a / b
Tensor div(const Tensor& a, const Tensor& b);
/// scale * x + shift
Tensor affine(const Tensor& x, double scale, double shift);

/// add(), sub(), mul() and div() as operators, with the same broadcasting. A number is the same for every element and
/// has no gradient, as in affine(). * is the product of elements: that of matrices is matmul().
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

// Functions of each element. The output has the shape of x.
/// e^x
Tensor exp(const Tensor& x);
/// The natural logarithm: -infinity at 0, NaN below.
Tensor log(const Tensor& x);
/// The square root: NaN below 0. The gradient at 0 is infinite.
Tensor sqrt(const Tensor& x);
/// x^2
Tensor square(const Tensor& x);
/// |x|. The gradient at 0 is 0.
Tensor abs(const Tensor& x);
/// x to the power of the exponent, as std::pow: NaN for x < 0 unless the exponent is whole. x^0 is 1 for every x, NaN
/// included, and its gradient is 0.
Tensor pow(const Tensor& x, double exponent);
/// x where it is within [low, high], else the nearer limit. The limits may be infinite. The gradient is that of x where
/// x is within the limits or equal to one, else 0, as in PyTorch. Throws OptionError unless low <= high.
Tensor clamp(const Tensor& x, double low, double high);
/// x / sqrt(1 + (bend_j x)^2) in column j, the smooth clipping of RealMLP (Holzmuller, Grinsztajn, Steinwart 2024):
/// close to x where |x| is well below 1 / bend_j, never beyond +-1 / bend_j, and x itself where bend_j is 0. x: [...,
/// D]; bend: [D], not negative, a constant without a gradient. Throws ShapeError unless they fit, OptionError when bend
/// requires a gradient.
Tensor smooth_clip(const Tensor& x, const Tensor& bend);

// Activations of each element. The output has the shape of x.
/// max(x, 0). The gradient at 0 is 0.
Tensor relu(const Tensor& x);
/// tanh(x)
Tensor tanh(const Tensor& x);
/// 1 / (1 + exp(-x)), without overflow.
Tensor sigmoid(const Tensor& x);
/// x * Phi(x), where Phi is the standard normal distribution function (Hendrycks and Gimpel 2016). Exact, not the
/// approximation by tanh.
Tensor gelu(const Tensor& x);
/// log(1 + exp(x)), without overflow.
Tensor softplus(const Tensor& x);

// Matrix products.
/// The matrix product. a: [N, K], b: [K, M] -> [N, M].
Tensor matmul(const Tensor& a, const Tensor& b);
/// x weight + bias. x: [..., in], weight: [in, out], bias: [out], or undefined for none -> [..., out].
/// The weight is the transpose of PyTorch's, which is faster here: tests/bench/layout_bench.cpp measures it.
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {});

// Reductions and shapes. The sums and means of all elements are computed in double; a mean needs at least one element.
/// The sum of all elements -> a scalar.
Tensor sum(const Tensor& x);
/// The mean of all elements -> a scalar.
Tensor mean(const Tensor& x);
/// The sum over one axis, which is dropped or, with keepdim, kept with size 1. Negative axes count from the end.
Tensor sum(const Tensor& x, int axis, bool keepdim = false);
/// The mean over one axis, which is dropped or, with keepdim, kept with size 1. Negative axes count from the end.
Tensor mean(const Tensor& x, int axis, bool keepdim = false);
/// The elements of x in another shape of the same size. The output shares the memory of x.
Tensor reshape(const Tensor& x, const Shape& shape);
/// The transpose of a matrix, as a copy. x: [N, M] -> [M, N].
Tensor transpose(const Tensor& x);
/// The tensors one after another along an axis: cat({a, b}, 1). They are of one shape but for that axis, which may be
/// negative to count from the end. One tensor alone is returned itself. Throws ShapeError when there is no tensor.
Tensor cat(std::span<const Tensor> tensors, int axis = 0);
/// The tensors of a list in braces one after another, as the function above joins those of a span.
Tensor cat(std::initializer_list<Tensor> tensors, int axis = 0);

// Probabilities over the last dimension, which must not be 0. x: [..., C] -> [..., C], or [...] for logsumexp. All
// subtract the maximum first, so that large inputs do not overflow.
/// exp(x) / sum(exp(x))
Tensor softmax(const Tensor& x);
/// log(softmax(x)), which is finite also where a probability underflows to 0.
Tensor log_softmax(const Tensor& x);
/// log(sum(exp(x))) over the last dimension, which is dropped. A row with an infinite maximum has it as its result.
Tensor logsumexp(const Tensor& x);

// Losses -> a scalar.
/// Mean cross entropy of softmax(logits) against class indices, in nats.
/// logits: [N, C], N > 0; targets: [N], whole numbers in [0, C). Throws DataError naming the row when a target is not a
/// class. Stable for large logits. No gradient flows to the targets.
Tensor cross_entropy(const Tensor& logits, const Tensor& targets);
/// Mean binary cross entropy of sigmoid(logits) against targets, over all elements, in nats.
/// logits and targets: of one shape, not empty; targets in [0, 1]. Throws DataError naming the element when a target is
/// outside. Stable for large logits. No gradient flows to the targets.
Tensor binary_cross_entropy_with_logits(const Tensor& logits, const Tensor& targets);
/// Mean of (predictions - targets)^2 over all elements. Both are of one shape, not empty: [N] and [N, 1] are an error,
/// not a broadcast to [N, N].
Tensor mse_loss(const Tensor& predictions, const Tensor& targets);
/// Mean of |predictions - targets| over all elements. Both are of one shape, not empty. The gradient at 0 is 0.
Tensor l1_loss(const Tensor& predictions, const Tensor& targets);
/// Mean over all elements of d^2 / 2 where |d| <= delta, else delta (|d| - delta / 2), with d = predictions - targets
/// (Huber 1964). Both are of one shape, not empty. Throws OptionError unless delta > 0.
Tensor huber_loss(const Tensor& predictions, const Tensor& targets, double delta);
/// The Huber loss with delta = 1, as a function of two tensors that train::Loss takes.
Tensor huber_loss(const Tensor& predictions, const Tensor& targets);

// Normalisation and regularisation.
/// Brings each row to mean 0 and variance 1, then computes gain * x + shift (Ba, Kiros, Hinton 2016, eq. 3).
/// x: [N, D], gain and shift: [D]. eps is added to the variance, which is divided by D.
Tensor layer_norm(const Tensor& x, const Tensor& gain, const Tensor& shift, double eps = 1e-5);

/// The running statistics of batch_norm, [D] each. Training writes to them.
struct RunningStats {
  Tensor mean;      // of each column
  Tensor variance;  // of each column; that of a batch is divided by N - 1
};
/// Brings each column to mean 0 and variance 1, then computes gain * x + shift (Ioffe, Szegedy 2015, algorithm 1).
/// x: [N, D], gain and shift: [D]. eps is added to the variance.
/// In training, mean and variance are those of the batch, and the running statistics become (1 - momentum) * running +
/// momentum * batch, where the batch's variance is divided by N - 1, as in PyTorch. They stay as they are when the
/// batch's are not finite. In evaluation, mean and variance are the running statistics.
/// Throws ShapeError in training when N is less than 2.
Tensor batch_norm(const Tensor& x, const Tensor& gain, const Tensor& shift, const RunningStats& running,
                  double momentum = 0.1, double eps = 1e-5);
/// In training, zeroes each element with probability p and divides the others by 1 - p (Srivastava et al. 2014); in
/// evaluation, returns x itself. The mask depends only on the tape's random position, the number of random ops on the
/// tape before this one, and the position of the element, so it is the same on any number of threads. Throws
/// OptionError unless 0 <= p < 1; in training with p > 0, TapeError when the tape has no random position.
Tensor dropout(const Tensor& x, double p);

}  // namespace HANDRAIL_SCALAR_NAMESPACE
}  // namespace handrail
