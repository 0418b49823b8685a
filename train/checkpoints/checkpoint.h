#pragma once

#include <filesystem>

#include <handrail/nn/module.h>
#include <handrail/train/checkpoints/state.h>

namespace handrail::train {

class FileSystem;                 // the system calls, which tests replace
FileSystem& posix_file_system();  // the real ones

/// Writes all of a training run to one file. The file at `path` is replaced in one step: whatever happens
/// on the way, it is the old one or the new one, whole, and the new one is on the disk on return. Marked
/// as best it is kept by CheckpointStore.
/// Throws CheckpointError naming a parameter, buffer or moment that is not finite, before anything is
/// written; or naming path, cause and bytes written when the system refuses. Then the old file is still
/// there, unless the text says that only the last step, the sync of the directory, failed.
void save_checkpoint(const std::filesystem::path& path, const TrainingState& state, bool is_best = false,
                     FileSystem& files = posix_file_system());

/// Reads what save_checkpoint wrote. All of the file is verified before any of it is used; memory is
/// taken in proportion to its size. Throws CheckpointError when it is damaged in any way, of a newer
/// format, of a library with another Scalar, not a regular file, or holds values that save_checkpoint
/// refuses. Row numbers are those of the data set it was trained on: that is for the caller to check.
TrainingState load_checkpoint(const std::filesystem::path& path, FileSystem& files = posix_file_system());

/// Whether the file is marked as best; reads and checks its header only. Throws CheckpointError.
bool is_best_checkpoint(const std::filesystem::path& path, FileSystem& files = posix_file_system());

/// What a model has learned, by the names that parameters() and buffers() give.
struct ModelState {
  NamedTensors parameters, buffers;
};

/// Copies of all parameters and buffers.
ModelState capture(const nn::Module& model);
/// Throws CheckpointError listing every parameter and buffer that is missing, unknown or of another
/// shape; for a state those of its best weights too.
void check_fits(const nn::Module& model, const NamedTensors& parameters, const NamedTensors& buffers);
void check_fits(const nn::Module& model, const TrainingState& state);
/// Copies the values into the model. Throws as check_fits does, and then nothing has changed.
void restore(nn::Module& model, const NamedTensors& parameters, const NamedTensors& buffers);

/// Writes parameters and buffers of a finished model, as safely as save_checkpoint. Tensors are stored as
/// they are: the weight of nn::Linear is [in, out], the transpose of PyTorch's.
/// Throws CheckpointError as save_checkpoint does.
void save_weights(const nn::Module& model, const std::filesystem::path& path, FileSystem& files = posix_file_system());
/// Reads them into a model of the same names and shapes. From a checkpoint it takes the weights of that
/// moment, not the best ones: load_model takes those. Throws CheckpointError, and then the model has not changed.
void load_weights(nn::Module& model, const std::filesystem::path& path, FileSystem& files = posix_file_system());

/// As save_weights, with all else that the model needs to predict. Trainer::save_model knows it.
void save_model(const nn::Module& model, const ModelInfo& info, const std::filesystem::path& path,
                FileSystem& files = posix_file_system());
/// A model as it was saved.
struct SavedModel {
  ModelState weights;
  ModelInfo info;
};
/// Reads what save_model wrote; of a checkpoint the weights of its best evaluation, when it has one. Throws
/// CheckpointError, also for a file of save_weights, which has weights alone.
SavedModel read_model(const std::filesystem::path& path, FileSystem& files = posix_file_system());

}  // namespace handrail::train
