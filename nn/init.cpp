#include <handrail/nn/init.h>

#include <algorithm>
#include <cmath>

#include <Eigen/QR>

#include <handrail/core/eigen.h>
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

void orthogonal(const Tensor& weight, Rng& rng, double gain) {
  const auto [in, out] = fans("orthogonal", weight);
  const auto length = static_cast<Index>(std::max(in, out)), count = static_cast<Index>(std::min(in, out));
  const Eigen::HouseholderQR<Eigen::MatrixXd> qr(
      Eigen::MatrixXd::NullaryExpr(length, count, [&rng] { return rng.normal(); }));
  const Eigen::ArrayXd signs = qr.matrixQR().diagonal().array().unaryExpr([](double r) { return r < 0 ? -1.0 : 1.0; });
  Eigen::MatrixXd q = Eigen::MatrixXd::Identity(length, count);
  q.applyOnTheLeft(qr.householderQ());
  q *= (gain * signs).matrix().asDiagonal();
  if (in >= out)
    mutable_matrix(weight) = q.cast<Scalar>();
  else
    mutable_matrix(weight) = q.transpose().cast<Scalar>();
}

}  // namespace handrail::nn::init
