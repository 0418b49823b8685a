#pragma once

#include <string>
#include <vector>

#include <handrail/core/tensor.h>

namespace handrail::train {

/// Sums over targets and errors for each column of the targets, in one pass. R2, Mae, Mse and Rmse are computed from
/// them; for several columns they are the means of the columns' figures, as in scikit-learn.
class ColumnErrors {
 public:
  /// The sums of one column of the targets.
  struct Column {
    double mean = 0;       // of the targets
    double deviation = 0;  // sum of the squared differences of the targets from their mean
    double squared = 0;    // sum of the squared errors
    double absolute = 0;   // sum of the absolute errors
  };
  /// Adds a batch: predictions and targets with the same number of rows and elements, [N] or [N, columns]. who: the
  /// name of the metric in errors. Throws ShapeError for other shapes and for another number of columns than before.
  void add(const char* who, const Tensor& predictions, const Tensor& targets);
  /// The number of rows added.
  Index rows() const { return rows_; }
  /// The mean of figure(column, rows) over the columns; NaN without rows.
  double average(double (*figure)(const Column&, double rows)) const;

 private:
  std::vector<Column> columns_;
  Index rows_ = 0;
};

/// The coefficient of determination: 1 - (sum of squared errors) / (sum of squared differences of the targets from
/// their mean). It is below 0 when the predictions are worse than the mean. A column of equal targets gives 1 when it
/// is predicted exactly, else 0. NaN for fewer than two samples. Batches are added as ColumnErrors::add says. Named
/// "r2".
struct R2 {
  ColumnErrors errors = {};  // of all batches added

  /// The functions of a metric: see MetricState. The result is at most 1.
  std::string name() const { return "r2"; }
  void add(const Tensor& predictions, const Tensor& targets) { errors.add("r2", predictions, targets); }
  double result() const;
};

/// The mean absolute error. NaN without samples. Batches are added as ColumnErrors::add says. Named "mae".
struct Mae {
  ColumnErrors errors = {};  // of all batches added

  /// The functions of a metric: see MetricState. The result has the unit of the targets.
  std::string name() const { return "mae"; }
  void add(const Tensor& predictions, const Tensor& targets) { errors.add("mae", predictions, targets); }
  double result() const;
};

/// The mean squared error. NaN without samples. Batches are added as ColumnErrors::add says. Named "mse".
struct Mse {
  ColumnErrors errors = {};  // of all batches added

  /// The functions of a metric: see MetricState. The result has the square of the unit of the targets.
  std::string name() const { return "mse"; }
  void add(const Tensor& predictions, const Tensor& targets) { errors.add("mse", predictions, targets); }
  double result() const;
};

/// The root of the mean squared error of each column; for several columns the mean of the roots. NaN without samples.
/// Batches are added as ColumnErrors::add says. Named "rmse".
struct Rmse {
  ColumnErrors errors = {};  // of all batches added

  /// The functions of a metric: see MetricState. The result has the unit of the targets.
  std::string name() const { return "rmse"; }
  void add(const Tensor& predictions, const Tensor& targets) { errors.add("rmse", predictions, targets); }
  double result() const;
};

}  // namespace handrail::train
