#pragma once

#include <optional>
#include <string>
#include <vector>

#include <handrail/train/data/dataset.h>
#include <handrail/train/data/task.h>

namespace handrail::train {

/// What is needed besides a model's weights to predict from data as it is stored. Trainer::fit finds it out,
/// Trainer::save_model writes it beside the weights, and Trainer::load_model reads it again.
struct ModelInfo {
  Task task = Task::regression;                     // what the outputs mean
  Shape input_shape = {}, target_shape = {};        // of one sample
  std::optional<Normalization> normalization = {};  // of raw data, such as a ByteDataset
  std::vector<std::string> class_names = {};        // in the order of the outputs; empty when none were given
};

}  // namespace handrail::train
