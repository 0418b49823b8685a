#include <algorithm>
#include <iterator>
#include <memory>

#include <handrail/nn/activation.h>
#include <handrail/nn/dropout.h>
#include <handrail/nn/linear.h>
#include <handrail/nn/norm.h>
#include <handrail/nn/standardize.h>
#include <handrail/train/files/text.h>
#include <handrail/train/run/fixes/internal/layer_edits.h>

namespace handrail::train::fixes {
namespace {

bool is_linear(const LayerPtr& layer) { return is_one_of<nn::Linear>(layer); }
bool is_norm(const LayerPtr& layer) { return is_one_of<nn::LayerNorm, nn::BatchNorm1d>(layer); }
bool is_activation(const LayerPtr& layer) {
  return is_one_of<nn::ReLU, nn::Tanh, nn::Sigmoid, nn::GELU, nn::Softplus>(layer);
}

// The number of the last linear layer; that of the first layer when there is none.
std::size_t last_linear(const Layers& layers) {
  const auto found = std::find_if(layers.rbegin(), layers.rend(), is_linear);
  return found == layers.rend() ? 0 : static_cast<std::size_t>(std::distance(found, layers.rend())) - 1;
}

// The same layers with hidden ones of at least that many units. False when the width of a layer is not known.
bool widen_layers(Layers& layers, Index units, Rng& rng) {
  const std::size_t last = last_linear(layers);
  Index width = 0;  // of the outputs of the layer before, when it has been changed; else 0
  bool changed = false;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    LayerPtr& layer = layers[i];
    if (const auto* linear = as<nn::Linear>(layer)) {
      const Index in = linear->weight.shape()[0], out = linear->weight.shape()[1];
      const bool grows = i < last && out < units;
      const nn::LinearOptions options{.bias = linear->bias.defined()};
      if (grows || width > 0)
        layer = std::make_shared<nn::Linear>(width > 0 ? width : in, grows ? units : out, rng, options);
      width = grows ? units : 0;
      changed = changed || grows;
    } else if (width > 0 && is_one_of<nn::LayerNorm>(layer)) {
      layer = std::make_shared<nn::LayerNorm>(width);
    } else if (width > 0 && is_one_of<nn::BatchNorm1d>(layer)) {
      layer = std::make_shared<nn::BatchNorm1d>(width);
    } else if (width > 0 && (!layer->parameters().empty() || !layer->buffers().empty())) {
      return false;
    }
  }
  return changed;
}

}  // namespace

Fix insert_activations() {
  return put_layers("activations", [](const Layers& layers, std::size_t i) {
    const bool misses_one = is_linear(layers[i]) && i + 1 < layers.size() && is_linear(layers[i + 1]);
    return misses_one ? Layers{layers[i], std::make_shared<nn::ReLU>()} : Layers{layers[i]};
  });
}
Fix remove_repeated_activations() {
  return put_layers("one activation", [](const Layers& layers, std::size_t i) {
    const bool is_second = i > 0 && is_activation(layers[i]) && is_activation(layers[i - 1]);
    return is_second ? Layers{} : Layers{layers[i]};
  });
}
Fix linear_outputs() {
  return put_layers("linear outputs", [](const Layers& layers, std::size_t i) {
    const bool stays = i <= last_linear(layers) || is_one_of<nn::Standardize>(layers[i]);
    return stays ? Layers{layers[i]} : Layers{};
  });
}
Fix replace_activations() {
  return put_layers("ReLU", [](const Layers& layers, std::size_t i) {
    const bool saturates = is_one_of<nn::Sigmoid, nn::Tanh>(layers[i]);
    return Layers{saturates ? std::make_shared<nn::ReLU>() : layers[i]};
  });
}
Fix layer_norm() {
  return put_layers("layer norm", [](const Layers& layers, std::size_t i) {
    const bool wants_one = is_linear(layers[i]) && i < last_linear(layers) && !is_norm(layers[i + 1]);
    if (!wants_one) return Layers{layers[i]};
    const Index units = as<nn::Linear>(layers[i])->weight.shape()[1];
    return Layers{layers[i], std::make_shared<nn::LayerNorm>(units)};
  });
}
Fix fewer_layers(std::size_t hidden) {
  return edit_layers(concat(hidden, " hidden layers"), [hidden](Layers& layers, const FixContext&) {
    Layers kept;
    std::size_t left = hidden;
    bool leaves_out = false, changed = false;
    for (std::size_t i = 0; i < layers.size(); ++i) {
      if (const auto* linear = as<nn::Linear>(layers[i])) {
        const bool is_square = linear->weight.shape()[0] == linear->weight.shape()[1];
        leaves_out = i < last_linear(layers) && left == 0 && is_square;
        if (left > 0) --left;
      }
      changed = changed || leaves_out;
      if (!leaves_out) kept.push_back(layers[i]);
    }
    layers = std::move(kept);
    return changed;
  });
}
Fix widen(Index units) {
  return edit_layers(concat(units, " units"), [units](Layers& layers, const FixContext& context) {
    return widen_layers(layers, units, context.rng);
  });
}
Fix remove_dropout() {
  return put_layers("no dropout", [](const Layers& layers, std::size_t i) {
    return is_one_of<nn::Dropout>(layers[i]) ? Layers{} : Layers{layers[i]};
  });
}
Fix default_batch_norm() {
  return put_layers("default batch norm", [](const Layers& layers, std::size_t i) {
    const auto* norm = as<nn::BatchNorm1d>(layers[i]);
    return Layers{norm ? std::make_shared<nn::BatchNorm1d>(norm->weight.size()) : layers[i]};
  });
}

}  // namespace handrail::train::fixes
