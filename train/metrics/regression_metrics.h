#pragma once

#include <string>
#include <vector>

#include <handrail/core/tensor.h>

namespace handrail::train {

// Metrics of regressions, for TrainerOptions::metrics. Predictions and targets have the same number of elements,
// [N] or [N, columns]. Figures are scikit-learn's: of several columns the mean of their figures. All throw
// ShapeError for other shapes. Without samples the result is NaN.

/// What is known of each column: targets and errors, in one pass.
class ColumnErrors {
 public:
  struct Column {
    double mean = 0, deviation = 0;    // of the targets; deviation is the sum of squares about the mean
    double squared = 0, absolute = 0;  // sums over the errors
  };
  /// Adds a batch. `who` names the metric in errors.
  void add(const char* who, const Tensor& predictions, const Tensor& targets);
  Index rows() const { return rows_; }
  /// The mean over the columns of a figure of (column, rows); NaN without rows.
  double average(double (*figure)(const Column&, double rows)) const;

 private:
  std::vector<Column> columns_;
  Index rows_ = 0;
};

/// The coefficient of determination: the share of the targets' variance about their mean that the predictions
/// explain, below 0 when they are worse than the mean. A column of one value gives 1 when it is predicted exactly,
/// else 0. NaN for fewer than two samples. "r2".
struct R2 {
  ColumnErrors errors = {};

  std::string name() const { return "r2"; }
  void add(const Tensor& predictions, const Tensor& targets) { errors.add("r2", predictions, targets); }
  double result() const;
};

/// The mean absolute error. "mae".
struct Mae {
  ColumnErrors errors = {};

  std::string name() const { return "mae"; }
  void add(const Tensor& predictions, const Tensor& targets) { errors.add("mae", predictions, targets); }
  double result() const;
};

/// The mean squared error. "mse".
struct Mse {
  ColumnErrors errors = {};

  std::string name() const { return "mse"; }
  void add(const Tensor& predictions, const Tensor& targets) { errors.add("mse", predictions, targets); }
  double result() const;
};

/// The root of the mean squared error, of each column apart. "rmse".
struct Rmse {
  ColumnErrors errors = {};

  std::string name() const { return "rmse"; }
  void add(const Tensor& predictions, const Tensor& targets) { errors.add("rmse", predictions, targets); }
  double result() const;
};

}  // namespace handrail::train
