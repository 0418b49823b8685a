#pragma once

#include <cstddef>
#include <vector>

#include <handrail/train/run/internal/setup.h>

namespace handrail::train {

/// Measures each layer in an update: its gradients, how far its weights moved, and its units without gradient.
class LayerMeter {
 public:
  explicit LayerMeter(const Setup& setup);

  /// Copies the weights. Call it right before the update.
  void before_update();
  /// Measures the update. Call it right after the update, while the gradients are there. The report is valid until the
  /// next call.
  const LayerReport& measure(std::int64_t step);
  /// The last report.
  const LayerReport& report() const { return report_; }

 private:
  const Setup& setup_;
  std::vector<Tensor> weights_before_;
  std::vector<std::size_t> layer_of_parameter_;
  std::vector<optim::LayerMeasure> measures_;
  std::vector<double> moved_;
  LayerReport report_;
};

}  // namespace handrail::train
