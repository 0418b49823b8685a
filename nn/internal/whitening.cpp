#include <handrail/nn/internal/whitening.h>

#include <algorithm>

#include <Eigen/Eigenvalues>

namespace handrail::nn {
namespace {

// The correlation matrix of the columns, of which only the lower triangle is filled.
Eigen::MatrixXd correlations(const Tensor& inputs, const Columns& mean, const Columns& scale) {
  constexpr Index block = 256;  // rows that are copied to doubles at a time
  const Index rows = inputs.shape()[0];
  Eigen::MatrixXd sums = Eigen::MatrixXd::Zero(mean.size(), mean.size());
  for (Index first = 0; first < rows; first += block) {
    Eigen::MatrixXd z = matrix(inputs).middleRows(first, std::min(block, rows - first)).cast<double>();
    z.rowwise() -= mean.matrix();
    z *= scale.matrix().asDiagonal();
    sums.selfadjointView<Eigen::Lower>().rankUpdate(z.transpose());
  }
  return sums / static_cast<double>(rows);
}

}  // namespace

Whitening fit_whitening(const Tensor& inputs, const Columns& mean, const Columns& scale) {
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(correlations(inputs, mean, scale));
  const Eigen::MatrixXd& directions = solver.eigenvectors();  // one in each column
  const Eigen::ArrayXd variances = solver.eigenvalues();
  // Columns far from zero are rounded more: by 1e-7 of their mean, as where Standardize looks for constant columns.
  const Eigen::RowVectorXd rounding = (1e-7 * mean * scale).square();
  const Eigen::ArrayXd smallest = 1e-8 + (rounding * directions.cwiseAbs2()).transpose().array();
  const Eigen::ArrayXd deviations = (variances > smallest).select(variances.sqrt(), 1.0);
  return {.whiten = from_eigen(directions * (1 / deviations).matrix().asDiagonal() * directions.transpose()),
          .color = from_eigen(directions * deviations.matrix().asDiagonal() * directions.transpose())};
}

}  // namespace handrail::nn
