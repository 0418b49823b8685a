#pragma once

#include <handrail/core/eigen.h>

namespace handrail::nn {

/// A number for each column of a table.
using Columns = Eigen::Array<double, 1, Eigen::Dynamic>;

/// The matrices that make standardised columns uncorrelated and back, [features, features], symmetric and each other's
/// inverse.
struct Whitening {
  Tensor whiten, color;
};

/// The whitening of z = (x - mean) * scale for the rows x of inputs [N, features], N > 0, finite. Of all matrices that
/// make z uncorrelated with variance 1, it is the one that changes z the least (ZCA-cor: Kessy, Lewin, Strimmer 2018,
/// eq. 15). A direction of z in which the inputs do not vary beyond rounding keeps scale 1.
/// mean: [features]; scale: [features], 1 / standard deviation, 0 for a constant column.
Whitening fit_whitening(const Tensor& inputs, const Columns& mean, const Columns& scale);

}  // namespace handrail::nn
