#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <handrail/nn/sequential.h>
#include <handrail/train/run/fix.h>

namespace handrail::train {

using LayerPtr = std::shared_ptr<nn::Layer>;
using Layers = std::vector<LayerPtr>;

template <class L>
L* as(const LayerPtr& layer) {
  return dynamic_cast<L*>(layer.get());
}
template <class... L>
bool is_one_of(const LayerPtr& layer) {
  return (as<L>(layer) || ...);
}

/// Appends the layers of a Sequential, with those of the Sequentials in it.
inline void append_layers(const nn::Sequential& from, Layers& all) {
  for (const LayerPtr& layer : from.layers()) {
    if (const auto* inner = as<nn::Sequential>(layer))
      append_layers(*inner, all);
    else
      all.push_back(layer);
  }
}

/// Which scales of the model stay.
struct KeptScales {
  bool input = true, output = true;
};

/// A fix that edits the layers of a Sequential. edit(layers, context) returns whether it has changed them. kept: the
/// scales that the model keeps then.
template <class Edit>
Fix edit_layers(std::string name, Edit edit, KeptScales kept = {}) {
  return {.name = std::move(name), .change_model = [edit, kept](nn::Module& model, const FixContext& context) {
            auto* sequential = dynamic_cast<nn::Sequential*>(&model);
            if (!sequential) return false;
            Layers layers;
            append_layers(*sequential, layers);
            if (!edit(layers, context)) return false;
            nn::Sequential changed(layers);
            if (kept.input) changed.set_input_scale(sequential->input_scale());
            if (kept.output) changed.set_output_scale(sequential->output_scale());
            sequential->swap(changed);
            return true;
          }};
}

/// A fix that puts layers(layers, number) in the place of each layer: nothing, the layer, or more than it.
template <class Put>
Fix put_layers(std::string name, Put put) {
  return edit_layers(std::move(name), [put](Layers& layers, const FixContext&) {
    Layers changed;
    for (std::size_t i = 0; i < layers.size(); ++i)
      for (LayerPtr& layer : put(layers, i)) changed.push_back(std::move(layer));
    std::swap(layers, changed);
    return layers != changed;
  });
}

}  // namespace handrail::train
