#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <handrail/train/lr/lr_finder.h>
#include <handrail/train/report/events.h>
#include <handrail/train/report/html/internal/curve.h>
#include <handrail/train/report/html/internal/heat_map.h>

namespace handrail::train::html {

/// The figures of steps.
struct StepCurves {
  Curve loss, ema, lr, grad_norm;

  void add(const StepStats& stats) {
    loss.add(stats.step, stats.loss);
    if (stats.updated) {
      ema.add(stats.step, stats.ema_loss);
      lr.add(stats.step, stats.lr);
    }
    if (stats.updated || stats.grad_norm != 0) grad_norm.add(stats.step, stats.grad_norm);
  }
};

/// The measurements of layers.
class LayerMaps {
 public:
  /// Takes memory at the first call only.
  void add(const LayerReport& report);
  /// Adds a measurement that was read from a file.
  void add(std::int64_t step, const std::vector<std::string>& names, const std::vector<double>& grad_norms,
           const std::vector<double>& update_ratios);

  const std::vector<std::string>& names() const { return names_; }
  const HeatMap& grad_norms() const { return grad_norms_; }
  const HeatMap& update_ratios() const { return update_ratios_; }

 private:
  std::vector<std::string> names_;
  HeatMap grad_norms_, update_ratios_;
  std::vector<double> norms_, ratios_;  // of the report that is added
};

/// A figure of evaluations or epochs: val_loss, val_NAME, train_NAME or train_loss_epoch.
struct Figure {
  std::string name;
  Curve curve;
};
/// Figures by name, in the order in which they came; at most 64 of them, as memory is bounded.
class Figures {
 public:
  void add(std::int64_t step, std::string_view name, double value);
  void add(std::int64_t step, const char* prefix, const std::vector<MetricValue>& metrics);
  const std::vector<Figure>& all() const { return figures_; }
  /// The curve of a figure; null when it was never added.
  const Curve* find(std::string_view name) const;

 private:
  std::vector<Figure> figures_;
};

/// What a report shows of a run besides its result. The memory is bounded, whatever the number of steps.
struct Record {
  FitStart start = {.summary = {}, .epochs = 0, .batches_per_epoch = 0, .planned_steps = 0};
  std::optional<LrFinderResult> lr_finder = {};
  StepCurves steps = {};
  LayerMaps layers = {};
  Figures figures = {};
  std::int64_t resumed_at = 0;    // the last step of the sessions before; 0 for a run that was not resumed
  std::string earlier_note = {};  // why the figures of the sessions before are incomplete; empty when they are not
};

}  // namespace handrail::train::html
