#pragma once

#include <string>
#include <vector>

#include <handrail/train/checkpoints/checkpoint.h>
#include <handrail/train/checkpoints/internal/container.h>

namespace handrail::train {

// Translates states into the sections of a file and back. cereal is used in the source file only.

/// Returns the sections that hold the argument. They borrow the elements of large tensors from it: it must outlive
/// them.
std::vector<Section> encode(const TrainingState& state);
std::vector<Section> encode(const ModelState& model);
std::vector<Section> encode(const ModelState& model, const ModelInfo& info);
std::vector<Section> encode(const TableEncoder& table);

// Each of these throws CheckpointError, starting with `who`, when a section is missing or malformed. The memory used is
// proportional to the bytes of the file, whatever sizes it claims.

/// The state of a checkpoint.
TrainingState decode_state(const Container& container, const std::string& who);
/// The parameters and buffers of any file.
ModelState decode_model(const Container& container, const std::string& who);
/// The weights of the best evaluation of a checkpoint that has one, otherwise what decode_model returns.
ModelState decode_best(const Container& container, const std::string& who);
/// The info of a checkpoint or of a file of save_model.
ModelInfo decode_info(const Container& container, const std::string& who);
/// The encoder of a file that has one.
TableEncoder decode_table(const Container& container, const std::string& who);

}  // namespace handrail::train
