#include <handrail/nn/standardize.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <handrail/core/eigen.h>
#include <handrail/core/error.h>
#include <handrail/core/ops/ops.h>
#include <handrail/core/system/finite.h>
#include <handrail/nn/internal/quantile.h>
#include <handrail/nn/internal/whitening.h>

namespace handrail::nn {
namespace {

Index checked(Index features) {
  if (features < 1) fail<OptionError>("Standardize: want at least 1 feature; got ", features);
  return features;
}

void check(const StandardizeOptions& options) {
  if (options.robust && options.whiten)
    fail<OptionError>("Standardize: want `robust` or `whiten`; got both; whiten after a robust layer of its own");
  if (options.robust && options.invert)
    fail<OptionError>("Standardize: want `robust` or `invert`; got both; what `robust` cuts off cannot be undone");
}

// What robust constants cut outputs to, in standard deviations of a normal column.
constexpr double max_robust = 5;

struct Constants {
  Columns means, deviations;
};

// In double and in two passes, so that digits do not cancel in columns far from zero.
Constants moments(const ConstMatrixMap& in) {
  const auto rows = static_cast<double>(in.rows());
  Columns sums = Columns::Zero(in.cols()), squares = sums;
  for (Index i = 0; i < in.rows(); ++i) sums += in.row(i).array().cast<double>();
  const Columns means = sums / rows;
  for (Index i = 0; i < in.rows(); ++i) squares += (in.row(i).array().cast<double>() - means).square();
  return {means, (squares / rows).sqrt()};
}

Constants quartiles(const ConstMatrixMap& in) {
  constexpr double normal_range = 1.349;  // between the quartiles, in standard deviations
  Constants constants{Columns::Zero(in.cols()), Columns::Zero(in.cols())};
  std::vector<double> values, distances;
  for (Index j = 0; j < in.cols(); ++j) {
    values.clear();
    distances.clear();
    for (Index i = 0; i < in.rows(); ++i) values.push_back(static_cast<double>(in(i, j)));
    const double median = quantile(values, 0.5);
    double range = quantile(values, 0.75) - quantile(values, 0.25);
    for (const double value : values)
      if (value != median) distances.push_back(std::abs(value - median));
    if (range == 0 && !distances.empty()) range = quantile(distances, 0.5);
    constants.means[j] = median;
    constants.deviations[j] = range / normal_range;
  }
  return constants;
}

Tensor identity(Index features) { return from_eigen(Eigen::MatrixXd::Identity(features, features)); }

}  // namespace

Standardize::Standardize(Index features, StandardizeOptions options)
    : Standardize(Tensor::zeros({checked(features)}), Tensor::ones({features}),
                  options.whiten ? Whitening{identity(features), identity(features)} : Whitening{}, options) {
  check(options);
}

Standardize::Standardize(Tensor m, Tensor inv, const Whitening& whitening, StandardizeOptions options)
    : mean(buffer("mean", std::move(m))),
      inverse(buffer("inverse", std::move(inv))),
      whiten(whitening.whiten.defined() ? buffer("whiten", whitening.whiten) : Tensor()),
      color(whitening.color.defined() ? buffer("color", whitening.color) : Tensor()),
      options_(options) {}

Standardize Standardize::fit(const Tensor& inputs, StandardizeOptions options) {
  check(options);
  const Shape& shape = inputs.shape();
  if (shape.rank() != 2 || shape.size() == 0)
    fail<ShapeError>("Standardize: want inputs [N, features], not empty; got ", shape);
  const Index cols = shape[1];
  if (const Index bad = first_non_finite(inputs.span()); bad >= 0)
    throw DataError(concat("Standardize: want finite inputs; got ", inputs.data()[bad], " in row ", bad / cols,
                           ", column ", bad % cols),
                    bad / cols);
  const auto [means, deviations] = options.robust ? quartiles(matrix(inputs)) : moments(matrix(inputs));
  // A column counts as constant when its deviation is within the rounding of the mean, or too small to divide by.
  const auto smallest = static_cast<double>(std::numeric_limits<Scalar>::min());
  const Eigen::Array<bool, 1, Eigen::Dynamic> constant = deviations <= 1e-7 * means.abs() || deviations < smallest;
  const Columns inverses = constant.select(1, 1 / deviations), scales = constant.select(0, inverses);
  return {from_eigen(means), from_eigen(inverses), options.whiten ? fit_whitening(inputs, means, scales) : Whitening{},
          options};
}

// Checked here because sub() would broadcast a column of width 1.
void Standardize::check_width(const char* name, const Tensor& x) const {
  if (x.shape().rank() < 1 || x.shape().cols() != mean.size())
    fail<ShapeError>("Standardize: want ", name, " [..., ", mean.size(), "]; got ", name, " ", x.shape());
}

Tensor Standardize::standardized(const Tensor& x) const {
  check_width("x", x);
  const Tensor z = mul(sub(x, mean), inverse);
  if (options_.robust) return clamp(z, -max_robust, max_robust);
  return whiten.defined() ? linear(z, whiten) : z;
}

Tensor Standardize::in_units(const Tensor& y) const {
  check_width("y", y);
  return div(color.defined() ? linear(y, color) : y, inverse) + mean;
}

Tensor Standardize::forward(const Tensor& x) const { return options_.invert ? in_units(x) : standardized(x); }

Tensor Standardize::undo(const Tensor& y) const { return options_.invert ? standardized(y) : in_units(y); }

std::vector<Operation> Standardize::operations() const {
  std::vector<Operation> all;
  if (options_.invert) {
    if (color.defined()) all.push_back({.kind = OperationKind::linear, .constants = {color, Tensor()}});
    all.push_back({.kind = OperationKind::divide, .constants = {inverse}});
    all.push_back({.kind = OperationKind::add, .constants = {mean}});
    return all;
  }
  all.push_back({.kind = OperationKind::subtract, .constants = {mean}});
  all.push_back({.kind = OperationKind::multiply, .constants = {inverse}});
  if (options_.robust) all.push_back({.kind = OperationKind::clamp, .first = -max_robust, .second = max_robust});
  if (whiten.defined()) all.push_back({.kind = OperationKind::linear, .constants = {whiten, Tensor()}});
  return all;
}

std::string Standardize::settings() const { return options_.robust ? "robust" : options_.invert ? "invert" : ""; }

}  // namespace handrail::nn
