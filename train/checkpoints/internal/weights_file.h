#pragma once

#include <filesystem>
#include <string>

#include <handrail/train/checkpoints/checkpoint.h>

namespace handrail::train {

// What save_weights and load_weights (train/exchange/weights.h) need of this room. Errors start with `who`.

/// The parameters and buffers of the model themselves, not copies. Throws CheckpointError when a value is not finite.
ModelState finite_state(const nn::Module& model, const std::string& who);
/// Throws CheckpointError naming the parameter or buffer when a value is not finite.
void check_finite(const ModelState& state, const std::string& who);
/// Copies the values into the model as restore() does.
void restore(nn::Module& model, const ModelState& state, const std::string& who);
/// Writes the parameters and buffers of the model in the library's own format.
void write_weights(const nn::Module& model, const std::filesystem::path& path, FileSystem& files,
                   const std::string& who);
/// Reads a file that write_weights wrote, or the weights of a checkpoint or a model. All values are finite.
ModelState read_weights(const std::filesystem::path& path, FileSystem& files, const std::string& who);

}  // namespace handrail::train
