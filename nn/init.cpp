#include <handrail/nn/init.h>

#include <cmath>

#include <handrail/core/error.h>

namespace handrail::nn::init {
namespace {

struct Fans {
  double in, out;
};
Fans fans(const char* name, const Tensor& weight) {
  const Shape& shape = weight.shape();
  if (shape.rank() != 2 || shape.size() == 0) fail<ShapeError>(name, ": want a weight [in, out]; got ", shape);
  return {static_cast<double>(shape[0]), static_cast<double>(shape[1])};
}

}  // namespace

void uniform(const Tensor& tensor, Rng& rng, double low, double high) {
  for (Scalar& element : tensor.mutable_span()) element = static_cast<Scalar>(rng.uniform(low, high));
}

void normal(const Tensor& tensor, Rng& rng, double mean, double stddev) {
  for (Scalar& element : tensor.mutable_span()) element = static_cast<Scalar>(mean + stddev * rng.normal());
}

void kaiming_uniform(const Tensor& weight, Rng& rng, double gain) {
  const double bound = gain * std::sqrt(3 / fans("kaiming_uniform", weight).in);
  uniform(weight, rng, -bound, bound);
}

void kaiming_normal(const Tensor& weight, Rng& rng, double gain) {
  normal(weight, rng, 0, gain / std::sqrt(fans("kaiming_normal", weight).in));
}

void xavier_uniform(const Tensor& weight, Rng& rng, double gain) {
  const auto [in, out] = fans("xavier_uniform", weight);
  const double bound = gain * std::sqrt(6 / (in + out));
  uniform(weight, rng, -bound, bound);
}

void xavier_normal(const Tensor& weight, Rng& rng, double gain) {
  const auto [in, out] = fans("xavier_normal", weight);
  normal(weight, rng, 0, gain * std::sqrt(2 / (in + out)));
}

}  // namespace handrail::nn::init
