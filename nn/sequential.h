#pragma once

#include <concepts>
#include <memory>
#include <string>
#include <utility>
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
  /// Takes over layers that are made in place or moved, in this order.
  template <std::derived_from<Layer>... Layers>
  explicit Sequential(Layers&&... layers) {
    (push_back(std::forward<Layers>(layers)), ...);
  }
  /// Applies layers that others may use too.
  explicit Sequential(const std::vector<std::shared_ptr<Layer>>& layers) {
    for (const auto& layer : layers) append(layer);
  }
  // Refuses other arguments. Compilers quote the line with its comment, which says what to do.
  template <class LayerOrNot, class... OrNot>
  explicit Sequential(const LayerOrNot&, const OrNot&...) = delete;  // want layers, made in place or std::move(layer)

  /// Appends a layer and returns a reference to it that stays valid.
  template <std::derived_from<Layer> L>
  L& push_back(L layer) {
    const auto added = std::make_shared<L>(std::move(layer));
    append(added);
    return *added;
  }
  /// The number of layers. A Sequential within it counts as one.
  std::size_t size() const { return layers_.size(); }
  /// The layers in their order. Who has one of them may build another Sequential with it.
  const std::vector<std::shared_ptr<Layer>>& layers() const { return layers_; }
  /// Exchanges the layers, and the scales, with those of another Sequential. References to the layers stay valid.
  void swap(Sequential& other) noexcept {
    swap_children(other);
    layers_.swap(other.layers_);
  }

  Tensor forward(const Tensor& x) const override {
    Tensor y = x;
    for (const auto& layer : layers_) y = (*layer)(y);
    return y;
  }
  std::vector<Operation> operations() const override {
    std::vector<Operation> all;
    for (std::size_t i = 0; i < layers_.size(); ++i)
      append_operations(all, std::to_string(i), layers_[i]->call_operations());
    return all;
  }

 private:
  void append(const std::shared_ptr<Layer>& layer) {
    add(std::to_string(layers_.size()), layer);
    layers_.push_back(layer);
  }

  std::vector<std::shared_ptr<Layer>> layers_;
};

}  // namespace handrail::nn
