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
    fail<OptionError>("Standardize: want `robust` or `invert`; got both; clip inputs, not predictions");
}

// What outputs of columns with heavy tails are clipped to, in standard deviations of a normal column.
constexpr double max_robust = 3;

struct Constants {
  Columns means, deviations, bends;
};

// In double and in two passes, so that digits do not cancel in columns far from zero.
Constants moments(const ConstMatrixMap& in) {
  const auto rows = static_cast<double>(in.rows());
  Columns sums = Columns::Zero(in.cols()), squares = sums;
  for (Index i = 0; i < in.rows(); ++i) sums += in.row(i).array().cast<double>();
  const Columns means = sums / rows;
  for (Index i = 0; i < in.rows(); ++i) squares += (in.row(i).array().cast<double>() - means).square();
  return {means, (squares / rows).sqrt(), Columns::Zero(in.cols())};
}

// Puts median and quartiles in the place of the moments of columns with outliers or heavy tails, and bends these.
void resist_tails(const ConstMatrixMap& in, Constants& constants) {
  constexpr double normal_range = 1.349;  // between the quartiles, in standard deviations
  constexpr double max_ratio = 1.5;       // 1.0 for normal, 1.4 for Laplace, 2.0 for log-normal values
  constexpr double max_distance = 25;     // in deviations: 5 for thousands of normal, 11 for exponential values
  std::vector<double> values, distances;
  for (Index j = 0; j < in.cols(); ++j) {
    values.clear();
    distances.clear();
    for (Index i = 0; i < in.rows(); ++i) values.push_back(static_cast<double>(in(i, j)));
    const double median = quantile(values, 0.5);
    double range = quantile(values, 0.75) - quantile(values, 0.25);
    for (const double value : values)
      if (value != median) distances.push_back(std::abs(value - median));
    if (distances.empty()) continue;
    if (range == 0) range = quantile(distances, 0.5);
    const double deviation = range / normal_range;
    if (constants.deviations[j] <= max_ratio * deviation &&
        *std::ranges::max_element(distances) <= max_distance * deviation)
      continue;
    constants.means[j] = median;
    constants.deviations[j] = deviation;
    constants.bends[j] = 1.0 / max_robust;
  }
}

Tensor identity(Index features) { return from_eigen(Eigen::MatrixXd::Identity(features, features)); }

}  // namespace

Standardize::Standardize(Index features, StandardizeOptions options)
    : Standardize(Tensor::zeros({checked(features)}), Tensor::ones({features}), Tensor::zeros({features}),
                  options.whiten ? Whitening{identity(features), identity(features)} : Whitening{}, options) {
  check(options);
}

Standardize::Standardize(Tensor m, Tensor inv, Tensor b, const Whitening& whitening, StandardizeOptions options)
    : mean(buffer("mean", std::move(m))),
      inverse(buffer("inverse", std::move(inv))),
      whiten(whitening.whiten.defined() ? buffer("whiten", whitening.whiten) : Tensor()),
      color(whitening.color.defined() ? buffer("color", whitening.color) : Tensor()),
      bend(options.robust ? buffer("bend", std::move(b)) : Tensor()),
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
  Constants constants = moments(matrix(inputs));
  if (options.robust) resist_tails(matrix(inputs), constants);
  const auto& [means, deviations, bends] = constants;
  // A column counts as constant when its deviation is within the rounding of the mean, or too small to divide by.
  const auto smallest = static_cast<double>(std::numeric_limits<Scalar>::min());
  const Eigen::Array<bool, 1, Eigen::Dynamic> constant = deviations <= 1e-7 * means.abs() || deviations < smallest;
  const Columns inverses = constant.select(1, 1 / deviations), scales = constant.select(0, inverses);
  return {from_eigen(means), from_eigen(inverses), from_eigen(bends),
          options.whiten ? fit_whitening(inputs, means, scales) : Whitening{}, options};
}

// Checked here because sub() would broadcast a column of width 1.
void Standardize::check_width(const char* name, const Tensor& x) const {
  if (x.shape().rank() < 1 || x.shape().cols() != mean.size())
    fail<ShapeError>("Standardize: want ", name, " [..., ", mean.size(), "]; got ", name, " ", x.shape());
}

Tensor Standardize::standardized(const Tensor& x) const {
  check_width("x", x);
  const Tensor z = mul(sub(x, mean), inverse);
  if (options_.robust) return smooth_clip(z, bend);
  return whiten.defined() ? linear(z, whiten) : z;
}

Tensor Standardize::in_units(const Tensor& y) const {
  check_width("y", y);
  // What smooth_clip made y of: less than a rounding below its limit, z is very large.
  constexpr double smallest = 1e-12;
  const auto unclipped = [&] { return div(y, sqrt(clamp(1 - square(mul(y, bend)), smallest, 1))); };
  return div(color.defined() ? linear(y, color) : options_.robust ? unclipped() : y, inverse) + mean;
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
  if (options_.robust) all.push_back({.kind = OperationKind::smooth_clip, .constants = {bend}});
  if (whiten.defined()) all.push_back({.kind = OperationKind::linear, .constants = {whiten, Tensor()}});
  return all;
}

std::string Standardize::settings() const { return options_.robust ? "robust" : options_.invert ? "invert" : ""; }

}  // namespace handrail::nn
