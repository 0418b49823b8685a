#pragma once

#include <optional>
#include <string>
#include <vector>

#include <handrail/train/data/dataset.h>
#include <handrail/train/data/table/table_encoder.h>
#include <handrail/train/data/task.h>

namespace handrail::train {

/// What a model needs besides its weights to predict from data as it is stored. Trainer::fit determines it,
/// Trainer::save_model writes it beside the weights, and Trainer::load_model reads it back.
struct ModelInfo {
  Task task = Task::regression;                     // how the outputs become predictions
  Shape input_shape = {}, target_shape = {};        // of one sample
  std::optional<Normalization> normalization = {};  // of raw data, such as a ByteDataset; absent for other data
  std::vector<std::string> class_names = {};        // TrainerOptions::class_names, in the order of the outputs
  std::optional<TableEncoder> table = {};           // TrainerOptions::table, which makes inputs of rows as text
  // What the rows of each class count in the loss: see TrainerOptions::balance_classes; empty without it.
  std::vector<double> class_weights = {};
};

}  // namespace handrail::train
