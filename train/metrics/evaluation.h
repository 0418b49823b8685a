#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <handrail/core/error.h>
#include <handrail/core/scalar.h>
#include <handrail/train/metrics/confusion.h>

namespace handrail {

/// A figure that was asked for and not measured; the text says why, and lists those that were.
struct MetricError : Error {
  using Error::Error;
};

}  // namespace handrail

namespace handrail::train {

/// The value of a metric, by its name: {"f1", 0.93}.
struct MetricValue {
  std::string name;
  double value;
};

/// What was measured on a data set.
struct Evaluation {
  double loss = 0;                               // the mean over samples
  std::optional<double> measured_accuracy = {};  // see Task; nothing for regression, or without predictions
  Index samples = 0;
  std::vector<MetricValue> metrics = {};  // of TrainerOptions::metrics, then of StepOutput::metrics
  std::vector<double> group_losses = {};  // of at least 30 fixed groups of samples, when there are as many samples
  // Of up to 100 classes, one label a row. Checkpoints do not keep it.
  std::optional<Confusion> measured_confusion = {};

  /// The accuracy. Throws MetricError, saying why, when there is none.
  double accuracy() const;
  /// The metric of that name: metric("f1"). Throws MetricError listing those there are.
  double metric(std::string_view name) const;
  /// Which classes were taken for which. Throws MetricError, saying why, when there is none.
  Confusion confusion() const;
};

}  // namespace handrail::train
