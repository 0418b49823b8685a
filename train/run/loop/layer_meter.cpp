#include <handrail/train/run/loop/layer_meter.h>

#include <algorithm>
#include <cmath>

#include <handrail/core/system/internal/kernels.h>

namespace handrail::train {

LayerMeter::LayerMeter(const Setup& setup) : setup_(setup) {
  const auto& layers = setup.optimizer->layers();
  for (const Parameter& p : setup.parameters) {
    weights_before_.push_back(p.tensor.clone());
    const auto layer = std::ranges::find(layers, optim::layer_of(p.name));
    // A parameter that is not in the optimizer gets the place after the last layer, which is not reported.
    layer_of_parameter_.push_back(static_cast<std::size_t>(layer - layers.begin()));
  }
}

void LayerMeter::before_update() {
  for (std::size_t p = 0; p < weights_before_.size(); ++p)
    std::ranges::copy(setup_.parameters[p].tensor.span(), weights_before_[p].mutable_data());
}

const LayerReport& LayerMeter::measure(std::int64_t step) {
  setup_.optimizer->measure_layers(measures_);
  moved_.assign(measures_.size() + 1, 0);  // the last place: parameters that are not in the optimizer
  for (std::size_t p = 0; p < weights_before_.size(); ++p) {
    const auto now = setup_.parameters[p].tensor.span(), before = weights_before_[p].span();
    moved_[layer_of_parameter_[p]] += kernels_here().squared_distance(now.data(), before.data(), std::ssize(now));
  }
  report_.step = step;
  report_.parameters = setup_.parameters;
  report_.layers.resize(measures_.size());
  for (std::size_t l = 0; l < measures_.size(); ++l) {
    const optim::LayerMeasure& measure = measures_[l];
    LayerStats& layer = report_.layers[l];
    layer.name = measure.name;
    layer.grad_norm = measure.grad_norm;
    layer.grad_mean = measure.grad_mean;
    layer.grad_max = measure.grad_max;
    layer.update_ratio = measure.weight_norm > 0 ? std::sqrt(moved_[l]) / measure.weight_norm : 0;
    layer.dead_units = measure.dead_units.value_or(0);
  }
  return report_;
}

}  // namespace handrail::train
