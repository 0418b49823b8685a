#pragma once

#include <string>
#include <vector>

#include <handrail/train/checkpoints/checkpoint.h>
#include <handrail/train/checkpoints/internal/container.h>

namespace handrail::train {

// The sections of a file and back. Not installed; cereal stays in the source. Sections borrow the elements of large
// tensors from what they encode.

std::vector<Section> encode(const TrainingState& state);
std::vector<Section> encode(const ModelState& model);
std::vector<Section> encode(const ModelState& model, const ModelInfo& info);
/// Throw CheckpointError, starting with `who`, when a section is missing or does not hold what it should.
/// Memory is taken in proportion to the bytes that are there, whatever sizes they tell of.
TrainingState decode_state(const Container& container, const std::string& who);
ModelState decode_model(const Container& container, const std::string& who);
/// The weights of the best evaluation of a checkpoint that has one, else those of decode_model.
ModelState decode_best(const Container& container, const std::string& who);
ModelInfo decode_info(const Container& container, const std::string& who);

}  // namespace handrail::train
