#pragma once

#include <handrail/core/random.h>

/// Initial values for the weight [in, out] of a linear layer, under PyTorch's names. All functions write in place.
/// Those that take a weight throw ShapeError unless it has two dimensions and elements.
namespace handrail::nn::init {

/// The gain of ReLU, sqrt(2): by this factor a layer before a ReLU needs larger weights to keep the variance.
inline constexpr double relu_gain = 1.4142135623730951;

/// Uniform in [-b, b] with b = gain * sqrt(3 / in) (He, Zhang, Ren, Sun 2015, eq. 10).
void kaiming_uniform(const Tensor& weight, Rng& rng, double gain = relu_gain);
/// Normal with mean 0 and standard deviation gain / sqrt(in) (He, Zhang, Ren, Sun 2015, eq. 10).
void kaiming_normal(const Tensor& weight, Rng& rng, double gain = relu_gain);
/// Uniform in [-b, b] with b = gain * sqrt(6 / (in + out)) (Glorot and Bengio 2010, eq. 16).
void xavier_uniform(const Tensor& weight, Rng& rng, double gain = 1);
/// Normal with mean 0 and standard deviation gain * sqrt(2 / (in + out)) (Glorot and Bengio 2010, eq. 12).
void xavier_normal(const Tensor& weight, Rng& rng, double gain = 1);

/// Orthonormal columns times gain, or orthonormal rows times gain when out > in, so that a linear layer keeps the
/// lengths of what it does not project away (Saxe, McClelland, Ganguli 2014). All such weights are equally likely: Q of
/// a normal matrix's QR decomposition, each column with the sign of R's diagonal (Mezzadri 2007, section 5). Takes time
/// in the order of in * out * min(in, out).
void orthogonal(const Tensor& weight, Rng& rng, double gain = 1);

/// All elements of a tensor of any shape, uniform in [low, high].
void uniform(const Tensor& tensor, Rng& rng, double low, double high);
/// All elements of a tensor of any shape, normal with that mean and standard deviation.
void normal(const Tensor& tensor, Rng& rng, double mean, double stddev);

}  // namespace handrail::nn::init
