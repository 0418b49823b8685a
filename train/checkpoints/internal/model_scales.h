#pragma once

#include <memory>
#include <vector>

#include <handrail/nn/module.h>
#include <handrail/nn/standardize.h>
#include <handrail/train/checkpoints/state.h>

namespace handrail::train {

/// Remembers the scales of a layer, and gives them back at its end unless they are kept. The end takes no memory.
class ScalesAside {
 public:
  explicit ScalesAside(nn::Layer& layer) : layer_(layer), input_(layer.input_scale()), output_(layer.output_scale()) {}
  ~ScalesAside() {
    if (kept_) return;
    layer_.set_input_scale(input_);
    layer_.set_output_scale(output_);
  }
  ScalesAside(const ScalesAside&) = delete;
  ScalesAside& operator=(const ScalesAside&) = delete;

  void keep() { kept_ = true; }

 private:
  nn::Layer& layer_;
  std::shared_ptr<const nn::Standardize> input_, output_;
  bool kept_ = false;
};

/// Gives each layer of a model the scales of which these buffers are, and takes away others, so that the model has what
/// it had when they were saved. The constants are not copied. The end undoes it unless the scales are kept.
class ScalesOf {
 public:
  ScalesOf(nn::Module& model, const NamedTensors& buffers);
  void keep() {
    for (const auto& aside : before_) aside->keep();
  }

 private:
  std::vector<std::unique_ptr<ScalesAside>> before_;
};

}  // namespace handrail::train
