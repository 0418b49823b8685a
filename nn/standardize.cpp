#include <handrail/nn/standardize.h>

#include <cmath>
#include <limits>
#include <vector>

#include <handrail/core/error.h>
#include <handrail/core/ops/ops.h>
#include <handrail/core/system/finite.h>

namespace handrail::nn {
namespace {

Index checked(Index features) {
  if (features < 1) fail<OptionError>("Standardize: want at least 1 feature; got ", features);
  return features;
}

}  // namespace

Standardize::Standardize(Index features) : Standardize(Tensor::zeros({checked(features)}), Tensor::ones({features})) {}

Standardize::Standardize(Tensor m, Tensor inv)
    : mean(buffer("mean", std::move(m))), inverse(buffer("inverse", std::move(inv))) {}

Standardize Standardize::fit(const Tensor& inputs) {
  const Shape& shape = inputs.shape();
  if (shape.rank() != 2 || shape[0] == 0)
    fail<ShapeError>("Standardize: want inputs [N, features], N > 0; got ", shape);
  const Index rows = shape[0], cols = shape[1];
  if (const Index bad = first_non_finite(inputs.span()); bad >= 0)
    throw DataError(concat("Standardize: want finite inputs; got ", inputs.data()[bad], " in row ", bad / cols,
                           ", column ", bad % cols),
                    bad / cols);
  const Scalar* in = inputs.data();
  // In double and in two passes, so that digits do not cancel in columns far from zero.
  const auto n = static_cast<double>(rows);
  std::vector<double> sums(static_cast<std::size_t>(cols)), squares(sums.size());
  for (Index i = 0; i < rows; ++i)
    for (std::size_t j = 0; j < sums.size(); ++j) sums[j] += static_cast<double>(in[i * cols + static_cast<Index>(j)]);
  for (Index i = 0; i < rows; ++i)
    for (std::size_t j = 0; j < sums.size(); ++j) {
      const double d = static_cast<double>(in[i * cols + static_cast<Index>(j)]) - sums[j] / n;
      squares[j] += d * d;
    }
  Tensor mean(Shape{cols}), inverse(Shape{cols});
  for (std::size_t j = 0; j < sums.size(); ++j) {
    const double middle = sums[j] / n, deviation = std::sqrt(squares[j] / n);
    // The column counts as constant when its deviation is within the rounding of the mean, or too small to divide by.
    const auto smallest = static_cast<double>(std::numeric_limits<Scalar>::min());
    const bool constant = deviation <= 1e-7 * std::abs(middle) || deviation < smallest;
    mean.mutable_span()[j] = static_cast<Scalar>(middle);
    inverse.mutable_span()[j] = static_cast<Scalar>(constant ? 1 : 1 / deviation);
  }
  return {std::move(mean), std::move(inverse)};
}

// Checked here because sub() would broadcast a column of width 1.
void Standardize::check_width(const char* name, const Tensor& x) const {
  if (x.shape().rank() < 1 || x.shape().cols() != mean.size())
    fail<ShapeError>("Standardize: want ", name, " [N, ", mean.size(), "]; got ", name, " ", x.shape());
}

Tensor Standardize::forward(const Tensor& x) const {
  check_width("x", x);
  return mul(sub(x, mean), inverse);
}

Tensor Standardize::undo(const Tensor& y) const {
  check_width("y", y);
  return div(y, inverse) + mean;
}

}  // namespace handrail::nn
