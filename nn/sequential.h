#pragma once

#include <concepts>
#include <string>
#include <vector>

#include <handrail/nn/module.h>

namespace handrail::nn {

/// Applies layers one after the other:
///
///   nn::Sequential model{nn::Linear{784, 128, rng}, nn::ReLU{}, nn::Linear{128, 10, rng}};
///
/// The names of the layers are "0", "1", ..., as in PyTorch. A Sequential without layers returns its input; push_back
/// adds layers to it.
class Sequential : public Layer {
 public:
  template <std::derived_from<Layer>... Layers>
  explicit Sequential(Layers&&... layers) {
    (push_back(std::forward<Layers>(layers)), ...);
  }
  // Refuses other arguments. Compilers quote the line with its comment, which says what to do.
  template <class LayerOrNot, class... OrNot>
  explicit Sequential(const LayerOrNot&, const OrNot&...) = delete;  // want layers, made in place or std::move(layer)

  /// Appends a layer and returns a reference to it that stays valid.
  template <std::derived_from<Layer> L>
  L& push_back(L layer) {
    L& added = add(std::to_string(layers_.size()), std::move(layer));
    layers_.push_back(&added);
    return added;
  }
  std::size_t size() const { return layers_.size(); }

  Tensor forward(const Tensor& x) const override {
    Tensor y = x;
    for (const Layer* layer : layers_) y = layer->forward(y);
    return y;
  }

 private:
  std::vector<Layer*> layers_;  // owned by the module tree
};

}  // namespace handrail::nn
