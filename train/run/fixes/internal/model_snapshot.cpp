#include <handrail/train/run/fixes/internal/model_snapshot.h>

namespace handrail::train {

ModelSnapshot::ModelSnapshot(nn::Module& model)
    : layer_(dynamic_cast<nn::Layer*>(&model)),
      sequential_(dynamic_cast<nn::Sequential*>(&model)),
      layers_(sequential_ ? sequential_->layers() : std::vector<std::shared_ptr<nn::Layer>>()),
      input_scale_(layer_ ? layer_->input_scale() : nullptr),
      output_scale_(layer_ ? layer_->output_scale() : nullptr),
      parameters_(model.parameters()),
      buffers_(model.buffers()),
      values_(capture(model)) {
  nn::Sequential same(layers_);
  spare_.swap(same);
  for (const Parameter& p : parameters_) trained_.push_back(p.tensor.requires_grad());
}

void ModelSnapshot::put_back() noexcept {
  if (sequential_ && sequential_->layers() != layers_) sequential_->swap(spare_);
  if (layer_) layer_->set_input_scale(input_scale_);
  if (layer_) layer_->set_output_scale(output_scale_);
  write_back(parameters_, buffers_, values_.parameters, values_.buffers);
  for (std::size_t i = 0; i < parameters_.size(); ++i) parameters_[i].tensor.set_requires_grad(trained_[i]);
}

void ModelSnapshot::restore() {
  put_back();
  nn::Sequential same(layers_);
  spare_.swap(same);
}

}  // namespace handrail::train
