#include <handrail/train/metrics/regression_metrics.h>

#include <cmath>
#include <limits>

#include <handrail/core/error.h>

namespace handrail::train {

void ColumnErrors::add(const char* who, const Tensor& predictions, const Tensor& targets) {
  const Shape &p = predictions.shape(), &t = targets.shape();
  if (p.rank() == 0 || t.rank() == 0 || p[0] != t[0] || predictions.size() != targets.size() || targets.size() == 0)
    fail<ShapeError>(who, ": want predictions and targets of the same shape; got ", p, " and ", t);
  const auto columns = static_cast<std::size_t>(targets.size() / t[0]);
  if (rows_ > 0 && columns != columns_.size())
    fail<ShapeError>(who, ": want ", columns_.size(), " values a row as before; got ", columns);
  columns_.resize(columns);
  const Scalar *prediction = predictions.data(), *target = targets.data();
  for (Index row = 0; row < t[0]; ++row) {
    ++rows_;
    for (Column& column : columns_) {
      const auto y = static_cast<double>(*target++);
      const double error = static_cast<double>(*prediction++) - y;
      // Welford 1962: exact for a column of equal targets, and precise for targets far from zero.
      const double delta = y - column.mean;
      column.mean += delta / static_cast<double>(rows_);
      column.deviation += delta * (y - column.mean);
      column.squared += error * error;
      column.absolute += std::abs(error);
    }
  }
}

double ColumnErrors::average(double (*figure)(const Column&, double)) const {
  if (rows_ == 0) return std::numeric_limits<double>::quiet_NaN();
  double sum = 0;
  for (const Column& column : columns_) sum += figure(column, static_cast<double>(rows_));
  return sum / static_cast<double>(columns_.size());
}

double R2::result() const {
  if (errors.rows() < 2) return std::numeric_limits<double>::quiet_NaN();
  return errors.average([](const ColumnErrors::Column& c, double) {
    if (c.deviation == 0) return c.squared == 0 ? 1.0 : 0.0;
    return 1 - c.squared / c.deviation;
  });
}

double Mae::result() const {
  return errors.average([](const ColumnErrors::Column& c, double rows) { return c.absolute / rows; });
}

double Mse::result() const {
  return errors.average([](const ColumnErrors::Column& c, double rows) { return c.squared / rows; });
}

double Rmse::result() const {
  return errors.average([](const ColumnErrors::Column& c, double rows) { return std::sqrt(c.squared / rows); });
}

}  // namespace handrail::train
