#include <handrail/train/checkpoints/internal/model_scales.h>

#include <string>

namespace handrail::train {
namespace {

using Scale = std::shared_ptr<const nn::Standardize>;

// The scale whose buffers begin with that name: the one of the layer when it fits, so that its tensors stay the same,
// or a new one. Null when there are no such buffers.
Scale scale_of(const std::string& name, const nn::StandardizeOptions& options, const NamedTensors& buffers,
               const Scale& present) {
  const auto mean = buffers.find(name + ".mean");
  if (mean == buffers.end() || mean->second.shape().rank() != 1 || mean->second.size() == 0) return nullptr;
  const Index features = mean->second.size();
  const bool fits = present && present->options().robust == options.robust && present->mean.size() == features;
  return fits ? present : std::make_shared<const nn::Standardize>(features, options);
}

}  // namespace

ScalesOf::ScalesOf(nn::Module& model, const NamedTensors& buffers) {
  for (const auto& [name, layer] : model.layers_by_name()) {
    const std::string prefix = name.empty() ? "" : name + ".";
    before_.push_back(std::make_unique<ScalesAside>(*layer));
    Scale input = scale_of(prefix + nn::Layer::input_name, {}, buffers, layer->input_scale());
    if (!input)
      input = scale_of(prefix + nn::Layer::robust_input_name, {.robust = true}, buffers, layer->input_scale());
    layer->set_input_scale(std::move(input));
    layer->set_output_scale(
        scale_of(prefix + nn::Layer::output_name, {.invert = true}, buffers, layer->output_scale()));
  }
}

}  // namespace handrail::train
