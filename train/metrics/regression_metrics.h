#pragma once

#include <string>
#include <vector>

#include <handrail/core/tensor.h>

namespace handrail::train {

// Metrics of regressions, for TrainerOptions::metrics. Predictions and targets are [N] or [N, columns], with the same
// number of elements. The results are those of scikit-learn: with several columns, the mean of their figures. They are
// in the unit of the targets or its square, and NaN without samples. Every add() throws ShapeError for other shapes.

/// Sums over the targets and the errors of each column, in one pass.
class ColumnErrors {
 public:
  struct Column {
    double mean = 0, deviation = 0;    // of the targets: their mean, and the sum of squared deviations from it
    double squared = 0, absolute = 0;  // of the errors: the sums of their squares and of their absolute values
  };
  /// Adds a batch. Messages call the metric `who`. Throws ShapeError as said above, and when the number of columns is
  /// not that of the batches before.
  void add(const char* who, const Tensor& predictions, const Tensor& targets);
  /// The number of rows that were added.
  Index rows() const { return rows_; }
  /// The mean of figure(column, rows) over the columns; NaN without rows.
  double average(double (*figure)(const Column&, double rows)) const;

 private:
  std::vector<Column> columns_;
  Index rows_ = 0;
};

/// The coefficient of determination: the share of the targets' variance that the predictions explain. It is below 0
/// when they are worse than the mean of the targets. A column of one value gives 1 when it is predicted exactly, else
/// 0. The result is NaN for fewer than two samples. Its name is "r2".
struct R2 {
  ColumnErrors errors = {};

  std::string name() const { return "r2"; }
  void add(const Tensor& predictions, const Tensor& targets) { errors.add("r2", predictions, targets); }
  double result() const;
};

/// The mean absolute error. Its name is "mae".
struct Mae {
  ColumnErrors errors = {};

  std::string name() const { return "mae"; }
  void add(const Tensor& predictions, const Tensor& targets) { errors.add("mae", predictions, targets); }
  double result() const;
};

/// The mean squared error. Its name is "mse".
struct Mse {
  ColumnErrors errors = {};

  std::string name() const { return "mse"; }
  void add(const Tensor& predictions, const Tensor& targets) { errors.add("mse", predictions, targets); }
  double result() const;
};

/// The root mean squared error: of several columns, the mean of the root of each one. Its name is "rmse".
struct Rmse {
  ColumnErrors errors = {};

  std::string name() const { return "rmse"; }
  void add(const Tensor& predictions, const Tensor& targets) { errors.add("rmse", predictions, targets); }
  double result() const;
};

}  // namespace handrail::train
