#pragma once

#include <handrail/core/random.h>

// Initial values for the weight [in, out] of a linear layer, written in place, under PyTorch's names.

namespace handrail::nn::init {

/// What kaiming_* multiply by: the gain of the activation that follows.
inline constexpr double relu_gain = 1.4142135623730951;

/// Uniform in +-gain * sqrt(3 / in) (He, Zhang, Ren, Sun 2015, eq. 10).
void kaiming_uniform(const Tensor& weight, Rng& rng, double gain = relu_gain);
/// Normal with standard deviation gain / sqrt(in).
void kaiming_normal(const Tensor& weight, Rng& rng, double gain = relu_gain);
/// Uniform in +-gain * sqrt(6 / (in + out)) (Glorot and Bengio 2010, eq. 16).
void xavier_uniform(const Tensor& weight, Rng& rng, double gain = 1);
/// Normal with standard deviation gain * sqrt(2 / (in + out)).
void xavier_normal(const Tensor& weight, Rng& rng, double gain = 1);

/// All elements uniform in [low, high).
void uniform(const Tensor& tensor, Rng& rng, double low, double high);
void normal(const Tensor& tensor, Rng& rng, double mean, double stddev);

}  // namespace handrail::nn::init
