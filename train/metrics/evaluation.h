#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <handrail/core/error.h>
#include <handrail/core/scalar.h>
#include <handrail/train/metrics/confusion.h>

namespace handrail {

/// A figure was asked for that was not measured. The text says why, and lists the figures that were.
struct MetricError : Error {
  using Error::Error;
};

}  // namespace handrail

namespace handrail::train {

/// The name of a metric and its value: {"f1", 0.93}.
struct MetricValue {
  std::string name;
  double value;
};

/// What was measured on a data set.
struct Evaluation {
  double loss = 0;                               // the mean over samples
  std::optional<double> measured_accuracy = {};  // as Task says; nothing for a regression, or without predictions
  Index samples = 0;                             // how many were evaluated
  std::vector<MetricValue> metrics = {};         // of TrainerOptions::metrics, then of StepOutput::metrics
  // The mean losses of groups of samples that are the same in every evaluation of a data set, at least 30 when there
  // are as many samples: their differences tell an improvement from noise.
  std::vector<double> group_losses = {};
  // For classes, up to 100 of them, with one label to a row. Checkpoints do not keep it.
  std::optional<Confusion> measured_confusion = {};

  /// The accuracy. Throws MetricError when it was not measured.
  double accuracy() const;
  /// The value of the metric of that name, as in metric("f1"). Throws MetricError when there is none.
  double metric(std::string_view name) const;
  /// The confusion matrix. Throws MetricError when it was not measured.
  Confusion confusion() const;
};

}  // namespace handrail::train
