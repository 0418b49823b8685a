// eigen: a polynomial fitted to Eigen matrices, with and without whitening, against the least squares of Eigen's QR
#include <cmath>
#include <cstdio>

#include <Eigen/QR>

#include <handrail/core/eigen.h>
#include <handrail/handrail.h>

#include "arguments/arguments.h"

using namespace handrail;

// The powers x, x^2, ..., x^degree, a row for each x. They are strongly correlated.
Eigen::MatrixXd powers(const Eigen::VectorXd& x, int degree) {
  Eigen::MatrixXd table(x.size(), degree);
  for (int k = 0; k < degree; ++k) table.col(k) = x.array().pow(k + 1);
  return table;
}

double root_mean_square(const Eigen::VectorXd& errors) {
  return errors.norm() / std::sqrt(static_cast<double>(errors.size()));
}

int main(int argc, char** argv) try {
  Arguments arguments(argc, argv);
  const auto options = arguments.options(
      {.epochs = 30, .batch_size = 32, .lr = 3e-2, .checkpoints = train::off, .metrics_csv = train::off, .sinks = {}});

  // A noisy sine at 500 places.
  Rng rng(options.seed);
  const Eigen::VectorXd x = Eigen::VectorXd::LinSpaced(500, 0, 1);
  const Eigen::VectorXd noise = Eigen::VectorXd::NullaryExpr(x.size(), [&rng] { return 0.1 * rng.normal(); });
  const Eigen::VectorXd y = (6 * x).array().sin().matrix() + noise;
  const Eigen::MatrixXd features = powers(x, 5);

  // The loss wants targets of the shape of the predictions, [N, 1]. Labels of classes stay [N].
  const train::TensorDataset data(from_eigen(features), reshape(from_eigen(y), {y.size(), 1}));

  Eigen::MatrixXd design(features.rows(), features.cols() + 1);
  design << features, Eigen::VectorXd::Ones(features.rows());
  const Eigen::VectorXd solution = design.colPivHouseholderQr().solve(y);
  std::printf("%-14s error %.4f\n", "least squares", root_mean_square(design * solution - y));

  for (const bool whiten : {false, true}) {
    nn::Sequential model{nn::Standardize::fit(data, {.whiten = whiten})};
    const nn::Linear& line = model.push_back(nn::Linear{features.cols(), 1, rng});
    mutable_matrix(line.weight).setZero();  // a view
    train::Trainer trainer{model, mse_loss, options};
    trainer.fit(data);
    const Eigen::MatrixXd predicted = to_eigen<double>(trainer.predict(data));
    std::printf("%-14s error %.4f\n", whiten ? "whitened" : "standardised", root_mean_square(predicted - y));
  }
} catch (const std::exception& error) {
  return exit_status("eigen", error);
}
