#pragma once

#include <vector>

#include <handrail/nn/sequential.h>
#include <handrail/train/checkpoints/checkpoint.h>

namespace handrail::train {

/// The layers of a model, when it is a Sequential, its scales, when it is a Layer, its values, and which of its
/// parameters are trained.
class ModelSnapshot {
 public:
  explicit ModelSnapshot(nn::Module& model);

  /// Gives the model what it had then. Takes no memory the first time, so that a destructor may call it.
  void put_back() noexcept;
  /// The same, as often as it is called.
  void restore();
  /// The values that put_back gives, which may be replaced by others of the same shapes.
  ModelState& values() { return values_; }

 private:
  nn::Layer* layer_;            // the model; null when it is none
  nn::Sequential* sequential_;  // the model; null when it is none
  nn::Sequential spare_;        // with the layers of then, unless the model has them
  std::vector<std::shared_ptr<nn::Layer>> layers_;
  std::shared_ptr<const nn::Standardize> input_scale_, output_scale_;
  std::vector<Parameter> parameters_;
  std::vector<Buffer> buffers_;
  std::vector<bool> trained_;
  ModelState values_;
};

}  // namespace handrail::train
