#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <handrail/core/error.h>
#include <handrail/core/scalar.h>
#include <handrail/train/metrics/confusion.h>

namespace handrail {

/// A figure was asked for that was not measured. The text says why, and lists those that were measured.
struct MetricError : Error {
  using Error::Error;
};

}  // namespace handrail

namespace handrail::train {

/// The name of a metric and its value, such as {"f1", 0.93}.
struct MetricValue {
  std::string name;  // without val_ or train_
  double value;      // NaN where the metric is not defined
};

/// What was measured on a data set.
struct Evaluation {
  double loss = 0;                               // the mean over the samples
  std::optional<double> measured_accuracy = {};  // see Task; absent for a regression and without predictions
  Index samples = 0;                             // how many were evaluated; 0 before the first evaluation
  std::vector<MetricValue> metrics = {};         // those of TrainerOptions::metrics, then those of StepOutput::metrics
  // The mean losses of fixed groups of samples, which paired tests compare. There are at least 30 groups when the
  // data set has as many samples and limit_val_batches is off.
  std::vector<double> group_losses = {};
  // For one label a row and at most 100 classes. Checkpoints do not keep it.
  std::optional<Confusion> measured_confusion = {};
  // See CalibrationError. Trainer::evaluate measures it where there is an accuracy; the evaluations of a run do not.
  std::optional<double> measured_calibration_error = {};

  /// The accuracy. Throws MetricError, saying why, when there is none.
  double accuracy() const;
  /// The value of the metric of this name, such as metric("f1"). Throws MetricError, listing those that were measured,
  /// when there is none.
  double metric(std::string_view name) const;
  /// The expected calibration error: see CalibrationError. Throws MetricError, saying why, when there is none.
  double calibration_error() const;
  /// The confusion matrix. Throws MetricError, saying why, when there is none.
  Confusion confusion() const;
};

}  // namespace handrail::train
