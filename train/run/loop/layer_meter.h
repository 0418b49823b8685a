#pragma once

#include <cstddef>
#include <vector>

#include <handrail/train/run/internal/setup.h>

namespace handrail::train {

/// Measures the layers in an update: their gradients, how far the weights moved, units without gradient.
class LayerMeter {
 public:
  explicit LayerMeter(const Setup& setup);

  /// Right before the update: what the weights are.
  void before_update();
  /// Right after it, while its gradients are at hand. The report is valid until the next call.
  const LayerReport& measure(std::int64_t step);
  /// The last one.
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
