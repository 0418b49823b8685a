#pragma once

#include <chrono>
#include <string>
#include <vector>

#include <handrail/train/report/events.h>

namespace handrail::train {

/// The names that plots have for the figures of a run.
enum class Names {
  columns,  // train_loss, val_accuracy, as columns of a table
  tags,     // train/loss, val/accuracy, as TensorBoard groups them
};

using Figures = std::vector<MetricValue>;

/// What the sinks that log figures remember of the steps. A step is added without a call of the heap.
class StepFigures {
 public:
  /// Begins to measure the time.
  void start();
  void add(const StepStats& stats);
  std::int64_t step() const { return last_.step; }
  const StepStats& last() const { return last_; }
  /// The samples a second since the previous call or the start; NaN when there were none.
  double take_samples_per_second();
  /// The loss, its moving average, the rate, the gradient norm and the samples a second of the last step. Calls
  /// take_samples_per_second().
  Figures take(Names names);

 private:
  StepStats last_{};
  double samples_ = 0;
  std::chrono::steady_clock::time_point since_ = std::chrono::steady_clock::now();
};

/// The loss on the validation set, the accuracy where there is one, and the metrics.
Figures figures_of(const Evaluation& evaluation, Names names);
/// The training loss of an epoch and its metrics.
Figures figures_of(const EpochStats& epoch, Names names);

/// A figure of a layer: its name in metrics.csv and in tags, and where it is.
struct LayerFigure {
  const char* name;
  double LayerStats::*value;
};
inline constexpr LayerFigure layer_figures[] = {
    {"grad_norm", &LayerStats::grad_norm},   {"grad_mean", &LayerStats::grad_mean},
    {"grad_max", &LayerStats::grad_max},     {"update_ratio", &LayerStats::update_ratio},
    {"dead_units", &LayerStats::dead_units},
};

}  // namespace handrail::train
