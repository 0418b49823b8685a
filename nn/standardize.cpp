#include <handrail/nn/standardize.h>

#include <limits>

#include <handrail/core/eigen.h>
#include <handrail/core/error.h>
#include <handrail/core/ops/ops.h>
#include <handrail/core/system/finite.h>
#include <handrail/nn/internal/whitening.h>

namespace handrail::nn {
namespace {

Index checked(Index features) {
  if (features < 1) fail<OptionError>("Standardize: want at least 1 feature; got ", features);
  return features;
}

Tensor identity(Index features) { return from_eigen(Eigen::MatrixXd::Identity(features, features)); }

}  // namespace

Standardize::Standardize(Index features, StandardizeOptions options)
    : Standardize(Tensor::zeros({checked(features)}), Tensor::ones({features}),
                  options.whiten ? Whitening{identity(features), identity(features)} : Whitening{}) {}

Standardize::Standardize(Tensor m, Tensor inv, const Whitening& whitening)
    : mean(buffer("mean", std::move(m))),
      inverse(buffer("inverse", std::move(inv))),
      whiten(whitening.whiten.defined() ? buffer("whiten", whitening.whiten) : Tensor()),
      color(whitening.color.defined() ? buffer("color", whitening.color) : Tensor()) {}

Standardize Standardize::fit(const Tensor& inputs, StandardizeOptions options) {
  const Shape& shape = inputs.shape();
  if (shape.rank() != 2 || shape.size() == 0)
    fail<ShapeError>("Standardize: want inputs [N, features], not empty; got ", shape);
  const Index rows = shape[0], cols = shape[1];
  if (const Index bad = first_non_finite(inputs.span()); bad >= 0)
    throw DataError(concat("Standardize: want finite inputs; got ", inputs.data()[bad], " in row ", bad / cols,
                           ", column ", bad % cols),
                    bad / cols);
  // In double and in two passes, so that digits do not cancel in columns far from zero.
  const ConstMatrixMap in = matrix(inputs);
  Columns sums = Columns::Zero(cols), squares = sums;
  for (Index i = 0; i < rows; ++i) sums += in.row(i).array().cast<double>();
  const Columns means = sums / static_cast<double>(rows);
  for (Index i = 0; i < rows; ++i) squares += (in.row(i).array().cast<double>() - means).square();
  const Columns deviations = (squares / static_cast<double>(rows)).sqrt();
  // A column counts as constant when its deviation is within the rounding of the mean, or too small to divide by.
  const auto smallest = static_cast<double>(std::numeric_limits<Scalar>::min());
  const Eigen::Array<bool, 1, Eigen::Dynamic> constant = deviations <= 1e-7 * means.abs() || deviations < smallest;
  const Columns inverses = constant.select(1, 1 / deviations), scales = constant.select(0, inverses);
  return {from_eigen(means), from_eigen(inverses), options.whiten ? fit_whitening(inputs, means, scales) : Whitening{}};
}

// Checked here because sub() would broadcast a column of width 1.
void Standardize::check_width(const char* name, const Tensor& x) const {
  if (x.shape().rank() < 1 || x.shape().cols() != mean.size())
    fail<ShapeError>("Standardize: want ", name, " [N, ", mean.size(), "]; got ", name, " ", x.shape());
}

Tensor Standardize::forward(const Tensor& x) const {
  check_width("x", x);
  const Tensor z = mul(sub(x, mean), inverse);
  return whiten.defined() ? linear(z, whiten) : z;
}

Tensor Standardize::undo(const Tensor& y) const {
  check_width("y", y);
  return div(color.defined() ? linear(y, color) : y, inverse) + mean;
}

}  // namespace handrail::nn
