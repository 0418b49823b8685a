// The part of Optimizer about layers: their order and their measurements.
#include <algorithm>
#include <cmath>

#include <handrail/core/system/internal/kernels.h>
#include <handrail/optim/internal/magnitude.h>
#include <handrail/optim/optimizer.h>

namespace handrail::optim {

namespace {

// The share of the `cols` columns of the gradient that are all zero; a column is a unit.
double dead_share(const Scalar* gradient, Index rows, Index cols) {
  Index dead = 0;
  for (Index j = 0; j < cols; ++j) {
    bool zero = true;
    for (Index i = 0; i < rows && zero; ++i) zero = gradient[i * cols + j] == 0;
    dead += zero;
  }
  return static_cast<double>(dead) / static_cast<double>(cols);
}

}  // namespace

std::string_view layer_of(std::string_view parameter) { return parameter.substr(0, parameter.rfind('.')); }

// Puts each layer after those that precede it in its group; the first layer of a group goes before those that follow it
// there. With decay_groups(), this is the order of the model even for layers that have no weight in "decay".
void Optimizer::arrange_layers() {
  std::vector<std::string> of_entry;
  for (const Entry& entry : entries_) of_entry.emplace_back(layer_of(entry.param->name));
  const auto place = [&](std::size_t e) { return std::ranges::find(layers_, of_entry[e]) - layers_.begin(); };
  for (std::size_t e = 0, first = 0; e < entries_.size(); ++e) {
    if (entries_[e].group != entries_[first].group) first = e;
    if (place(e) < std::ssize(layers_)) continue;
    Index at = e == first ? std::ssize(layers_) : 0;
    for (std::size_t before = first; before < e; ++before) at = std::max(at, place(before) + 1);
    if (e == first)
      for (std::size_t next = e + 1; next < entries_.size() && entries_[next].group == entries_[e].group; ++next)
        at = std::min(at, place(next));
    layers_.insert(layers_.begin() + at, of_entry[e]);
  }
  for (std::size_t e = 0; e < entries_.size(); ++e) entries_[e].layer = static_cast<std::size_t>(place(e));
  layer_norms_.resize(layers_.size());
}

std::vector<LayerMeasure> Optimizer::measure_layers() {
  std::vector<LayerMeasure> layers;
  measure_layers(layers);
  return layers;
}

void Optimizer::measure_layers(std::vector<LayerMeasure>& layers) {
  grad_norm();
  layers.resize(layers_.size());
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    LayerMeasure& layer = layers[l];
    layer.name = layers_[l];
    layer.grad_norm = layer_norms_[l];
    layer.grad_mean = layer.grad_max = 0;
    layer.dead_units.reset();
    double total = 0, squares = 0;
    Index count = 0;
    for (const Entry& entry : entries_) {
      if (entry.layer != l) continue;
      squares += kernels_here().sum_of_squares(entry.tensor.data(), entry.tensor.size());
      if (!entry.gradient) continue;
      const std::span gradient(entry.gradient, entry.tensor.span().size());
      total += kernels_here().sum(gradient.data(), std::ssize(gradient));
      count += std::ssize(gradient);
      layer.grad_max = detail::larger(layer.grad_max, detail::largest_magnitude(gradient));
      const Shape& shape = entry.tensor.shape();
      const bool is_bias = entry.param->role == Role::bias && shape.rank() == 1;
      if (shape.size() > 0 && (is_bias || (shape.rank() == 2 && !layer.dead_units)))
        layer.dead_units = dead_share(entry.gradient, shape.rows(), shape.cols());
    }
    if (count > 0) layer.grad_mean = total / static_cast<double>(count);
    layer.weight_norm = std::sqrt(squares);
  }
}

}  // namespace handrail::optim
